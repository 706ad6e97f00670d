/* What an administrator changes by hand in buckets and windows. */
#ifndef STORE_AMEND_H
#define STORE_AMEND_H

enum amend {
    AMEND_RESET,   /* the bucket is full, the window empty, no latch; the past stays */
    AMEND_UNLATCH, /* no latch, and all else stays */
    AMEND_TRAIN, /* windows count their cost, whatever the room, and are usual ones though
                    they were braked; buckets stay */
};

#endif
