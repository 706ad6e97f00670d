#!/bin/sh
# A notify.command for mailbraked(8): posts each notice to the incoming webhook of a chat
# (Mattermost, Slack, Rocket.Chat: a JSON object with "text"). Needs curl and jq.
#
#     notify = { command = "/usr/local/bin/notify-chat.sh"; };
#
# The webhook's address is a secret, and stands in no argument, where anybody could see it,
# but in a file for curl that the group mailbrake may read, /etc/mailbrake/chat-webhook:
#
#     url = "https://chat.district.example/hooks/abc123"
#
# The notice comes as JSON on standard input: see "Notices" in control-api.md. Whatever
# fails here is tried again each minute, ten times.
set -eu

webhook=${MAILBRAKE_WEBHOOK:-/etc/mailbrake/chat-webhook}

if [ ! -r "$webhook" ]; then
    echo "notify-chat: can't read $webhook" >&2
    exit 1
fi
# Strangers wrote some of it, so it is shown as it is: between fences that it can't close,
# and without < and >, with which Slack pages a channel even there.
message=$(jq -cs '{text: (map("\(.subject)\n\n\(.text)") | join("\n\n")
    | gsub("`"; "\u0027") | gsub("<"; "(") | gsub(">"; ")") | "```\n" + . + "\n```")}')

printf '%s' "$message" |
    curl --silent --show-error --fail --max-time 15 --output /dev/null --config "$webhook" \
        --header 'Content-Type: application/json' --data-binary @-
