/* Preloaded into the Sendmail of the tests: without a dot in its host's name it sleeps a
 * minute at each start, and it looks each client up. Here the host has a full name and
 * no other is known. */
#include <netdb.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

int gethostname(char *name, size_t size)
{
    (void)snprintf(name, size, "relay.district.example");
    return 0;
}

static struct hostent *unknown(void)
{
    h_errno = HOST_NOT_FOUND;
    return NULL;
}

struct hostent *gethostbyname2(const char *name, int family)
{
    (void)name;
    (void)family;
    return unknown();
}

struct hostent *gethostbyaddr(const void *address, socklen_t length, int family)
{
    (void)address;
    (void)length;
    (void)family;
    return unknown();
}
