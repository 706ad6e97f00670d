#!/bin/sh
# split-lists.sh FOLDER: reads lines "LIST<tab>ADDRESS" and writes a file LIST.txt for each
# list into the folder, for { folder = ...; } in mailbrake.conf(5). Each file is replaced in
# one step, after all lines are read; if a line is anything else, or there is none, nothing
# is replaced. The file of a list without members is left alone: remove it when the list is
# gone.
set -eu
umask 027 # for a folder of the group mailbrake, mode 2750
cd "$1"
rm -f .*.txt.new
awk -F '\t' '
    NF != 2 || $1 !~ /^[A-Za-z0-9_][A-Za-z0-9._+-]*$/ || $2 !~ /^[^ ]+@[^ ]+$/ {
        print "split-lists: line " NR " is not LIST<tab>ADDRESS" >"/dev/stderr"
        exit bad = 1
    }
    { file = "." $1 ".txt.new" }
    file != last { if (last != "") close(last); last = file }
    { print $2 >>file }
    END { exit bad || NR == 0 }'
for file in .*.txt.new; do
    name=${file#.}
    mv "$file" "${name%.new}"
done
