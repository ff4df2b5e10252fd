# What a machine reached over ssh does: `sh host.sh VERB ARGUMENT...`. POSIX sh and the base utilities only.
#
# Answers are lines that begin with @@, since a login script may print lines of its own.
# Folders that are sent appear under their final name when they are whole; a name that begins with a dot is not
# yet. A job is a folder: pid (its process group), log (standard error), out.json, late (the time limit ended
# it), and exit (its exit status), which is written last.

LC_ALL=C
export LC_ALL
umask 077

say() { printf '@@%s\n' "$*"; }

nap() { sleep 0.2 2>/dev/null || sleep 1; }

# probe ROOT: what this machine is. ROOT is absolute, or relative to the home folder.
probe() {
    case $1 in /*) root=$1 ;; *) root=$HOME/$1 ;; esac
    exists=$root
    until [ -d "$exists" ]; do exists=$(dirname "$exists"); done
    say root "$root"
    say system "$(uname -s)"
    say machine "$(uname -m)"
    say bits "$(getconf LONG_BIT 2>/dev/null)"
    say libc "$(getconf GNU_LIBC_VERSION 2>/dev/null || ldd --version 2>&1 | head -n 1)"
    for loader in /lib/ld-musl-*; do [ -e "$loader" ] && say musl "$loader"; done
    say board "$(tr -d '\000' </proc/device-tree/model 2>/dev/null)"
    say features "$(grep -m 1 '^Features' /proc/cpuinfo 2>/dev/null)"
    say total "$(grep '^MemTotal:' /proc/meminfo 2>/dev/null)"
    say available "$(grep '^MemAvailable:' /proc/meminfo 2>/dev/null)"
    say disk "$(df -Pk "$exists" | tail -n 1)"
    [ -w "$exists" ] || say unwritable "$exists"
    [ ! -e "$root" ] || [ -O "$root" ] || say foreign "$root"
    for tool in rsync tar; do command -v "$tool" >/dev/null && say tool "$tool"; done
    for name in python3 python3.13 python3.12 python3.11; do
        command -v "$name" >/dev/null && say python "$("$name" -I -S -B -c "$describe_python" 2>&1 | tail -n 1)"
    done
    say end
}

# Version, bits, implementation, ABI as file names of its extensions have it, what is missing, path.
describe_python='
import importlib.machinery as machinery, importlib.util as util, sys
needed = "argparse", "ctypes", "hashlib", "json", "queue", "subprocess", "tempfile", "zipfile"
missing = [name for name in needed if util.find_spec(name) is None]
print("%d.%d.%d" % sys.version_info[:3], 64 if sys.maxsize > 2**32 else 32, sys.implementation.name,
      machinery.EXTENSION_SUFFIXES[0], ",".join(missing) or "complete", sys.executable)
'

# state [NAME FILES BYTES]...: which of these folders are there and whole, what else is there, and the free space.
# Of a damaged one rsync can still make use.
state() {
    # What a broken link left a day ago, and what nobody has used for two months.
    find "$root/." ! -name . -prune -type d -name '.*-*.part' -mtime +0 -exec rm -rf {} +
    find "$root/." ! -name . -prune -name '[a-z]*-*' -mtime +60 -exec rm -rf {} +
    for other in "$root"/*-*/; do [ -d "$other" ] && say there "$(basename "$other")"; done
    while [ $# -ge 3 ]; do
        if [ -d "$root/$1" ]; then
            if [ "$(content "$root/$1")" = "$2 $3" ]; then
                say whole "$1"
                touch "$root/$1"
            else
                rm -rf "$root/.$1.part"
                mv "$root/$1" "$root/.$1.part"
            fi
        fi
        shift 3
    done
    say disk "$(df -Pk "$root" | tail -n 1)"
    say end
}

content() { find "$1" -type f -exec ls -ln {} + | awk '{ bytes += $5 } END { printf "%d %d", NR, bytes }'; }

# unpack NAME FILES BYTES: a folder as a tar stream on standard input.
unpack() {
    part=$root/.$1.part
    rm -rf "$part"
    mkdir -p "$part"
    tar -xf - -C "$part" || { rm -rf "$part"; say failed; return; }
    settle "$@"
}

# settle NAME FILES BYTES: a folder that came whole gets its name; any other is removed.
settle() {
    part=$root/.$1.part
    if [ "$(content "$part")" != "$2 $3" ]; then
        rm -rf "$part"
        say incomplete
        return
    fi
    rm -rf "${root:?}/$1"
    mv "$part" "$root/$1"
    say whole "$1"
}

# discard NAME: no half-sent folder stays.
discard() { rm -rf "$root/.$1.part"; say end; }

# running JOB: whether its process is there and is not another one that got its number later.
running() {
    pid=$(cat "$root/jobs/$1/pid" 2>/dev/null) && [ -n "$pid" ] &&
        tr '\000' ' ' <"/proc/$pid/cmdline" 2>/dev/null | grep -qF "$1"
}

# start JOB LIMIT PYTHONPATH COMMAND...: begin the job unless it is there already, and follow it.
start() {
    job=$root/jobs/$1
    for other in "$root"/jobs/*/; do
        name=$(basename "$other")
        [ "$name" != "$1" ] && running "$name" && { say busy "$pid"; return; }
    done
    if [ -e "$job/exit" ]; then
        pid=none
        say finished
    elif running "$1"; then
        say attached
    else
        rm -rf "$job"
        mkdir -p "$root/jobs" && mkdir "$job" && : >"$job/log" || { say failed; return; }
        PYTHONPATH=$3
        export PYTHONPATH
        # A session of its own outlives this connection, and can be ended as a whole.
        if command -v setsid >/dev/null; then
            setsid sh "$0" work "$@" </dev/null >/dev/null 2>&1 &
        else
            "$4" -c 'import os, sys; os.setsid(); os.execvp("sh", sys.argv[1:])' \
                sh "$0" work "$@" </dev/null >/dev/null 2>&1 &
        fi
        pid=$!
        echo "$pid" >"$job/pid"
        say started
    fi
    follow "$1" "$pid"
}

# work JOB LIMIT PYTHONPATH COMMAND...: the job itself, in a session of its own.
work() {
    job=$root/jobs/$1
    limit=$2
    shift 3
    cd "$job" || exit
    ulimit -c 0 2>/dev/null
    # onnxruntime would write events to the home folder and send them to its maker.
    ORT_DISABLE_TELEMETRY=1
    export ORT_DISABLE_TELEMETRY
    "$@" </dev/null >/dev/null 2>>log &
    child=$!
    (
        sleep "$limit"
        : >late
        kill -TERM "$child"
        sleep 5
        kill -KILL "$child"
    ) &
    wait "$child"
    echo $? >exit.new
    mv exit.new exit
    # The watchdog, and whatever the command left behind.
    trap '' TERM
    kill -TERM 0
}

# follow JOB [PID]: its log as it is written, then how it ended and its result. PID is that of a job just started: while
# it becomes another program its command line is empty for a moment, and `running` would say no.
follow() {
    job=$root/jobs/$1
    [ -d "$job" ] || { say gone; return; }
    exec 3<"$job/log"
    pid=${2:-}
    [ -n "$pid" ] || running "$1" || pid=none # asked once: forking for it in the loop would show in what is measured
    part=
    rounds=0
    while :; do
        ended=
        # Asked before the log is read, so that nothing written in between is missed.
        if [ -e "$job/exit" ]; then ended=1; elif ! [ -d "/proc/$pid" ] && ! [ -e "$job/exit" ]; then ended=lost; fi
        while IFS= read -r line <&3; do
            say log "$part$line"
            part=
        done
        part=$part$line
        [ -z "$ended" ] || break
        say alive # or nobody listens any more, and writing ends this loop
        rounds=$((rounds + 1))
        # Waking up more often would show there too.
        if [ "$rounds" -gt 10 ]; then sleep 2; else nap; fi
    done
    [ -z "$part" ] || say log "$part"
    [ "$ended" != lost ] || { say lost; return; }
    [ -e "$job/late" ] && say late
    say exit "$(cat "$job/exit")"
    if [ -f "$job/out.json" ]; then
        say out $(($(wc -c <"$job/out.json")))
        cat "$job/out.json"
    fi
}

# stop JOB: end it if it has not ended, and remove what it left.
stop() {
    if running "$1"; then
        kill -TERM "-$pid"
        for round in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15; do
            running "$1" || break
            nap
        done
        kill -KILL "-$pid" 2>/dev/null
    fi
    rm -rf "$root/jobs/$1"
    say end
}

verb=$1
shift
case $verb in probe) ;; *) root=$(dirname "$0") ;; esac
"$verb" "$@"
exit 0
