# Two nodes on 127.0.0.1, without root: configuration, daemons, commands, waiting. Sourced after common.sh by scripts
# that set WORK to their own temporary folder; the resource is called demo, the nodes left and right.

declare -A NODE_PID=()

# Two TCP ports that nobody listens on now; below the range the kernel hands out, so that none is taken meanwhile.
pick_ports() {
    local first
    for _ in $(seq 50); do
        first=$((20000 + RANDOM % 10000))
        if ! grep -qiE "$(printf ':(%04X|%04X) ' "$first" $((first + 1)))" /proc/net/tcp; then
            LEFT_PORT="$first"
            RIGHT_PORT=$((first + 1))
            return 0
        fi
    done
    fail "no free TCP port found"
}

# write_configuration NET-OPTIONS DISK-OPTIONS: both nodes read the same file, as with DRBD.
write_configuration() {
    cat >"$WORK/demo.conf" <<EOF
global { usage-count no; }
resource demo {
    net { $1 }
    disk { $2 }
    device /dev/drbd0;
    meta-disk internal;
    on left {
        disk $WORK/left/disk;
        address 127.0.0.1:$LEFT_PORT;
    }
    on right {
        disk $WORK/right/disk;
        address 127.0.0.1:$RIGHT_PORT;
    }
}
EOF
}

# on NODE COMMAND...: a command of blockrepl, as the administrator of that node.
on() {
    local node="$1"
    shift
    "$INSTALL_BIN/blockrepl" --config "$WORK/demo.conf" --node "$node" --run-dir "$WORK/$node/run" "$@"
}

start_node() {
    local node="$1"
    "$INSTALL_BIN/blockrepld" --config "$WORK/demo.conf" --node "$node" --run-dir "$WORK/$node/run" \
        --frontend none >>"$WORK/$node/log" 2>&1 &
    NODE_PID[$node]=$!
    wait_for 30 "daemon of $node" on "$node" status
}

# kill_node NODE: no warning, no clean-up, as when the power goes.
kill_node() {
    kill -KILL "${NODE_PID[$1]}"
    wait "${NODE_PID[$1]}" 2>/dev/null || true
    unset "NODE_PID[$1]"
}

stop_all_nodes() {
    local node
    for node in "${!NODE_PID[@]}"; do
        kill -TERM "${NODE_PID[$node]}" 2>/dev/null || true
    done
    for node in "${!NODE_PID[@]}"; do
        for _ in $(seq 100); do
            kill -0 "${NODE_PID[$node]}" 2>/dev/null || break
            sleep_ms 100
        done
        kill -KILL "${NODE_PID[$node]}" 2>/dev/null || true
        wait "${NODE_PID[$node]}" 2>/dev/null || true
        unset "NODE_PID[$node]"
    done
}

nbd_uri() { echo "nbd+unix:///demo/0?socket=$WORK/$1/run/nbd.sock"; }

device_bytes() { nbdinfo --size "$(nbd_uri "$1")"; }

sleep_ms() { sleep "$(printf '%d.%03d' $(($1 / 1000)) $(($1 % 1000)))"; }

elapsed_ms() { echo $((($(date +%s%N) - $1) / 1000000)); }

# wait_for SECONDS WHAT COMMAND...: repeats the command until it succeeds.
wait_for() {
    local deadline=$((SECONDS + $1)) what="$2" output
    shift 2
    while ! output="$("$@" 2>&1)"; do
        [ "$SECONDS" -lt "$deadline" ] || fail "waited too long for: $what. $output"
        sleep_ms 100
    done
}

# The lines of the resource as /proc/drbd shows them, without the versions.
show_status() { on "$1" status demo | grep -vE '^(src)?version' | sed 's/^/   | /'; }

in_sync() { on "$1" status demo | grep -q 'cs:Connected .* ds:UpToDate/UpToDate'; }

# show_sync NODE: the progress, as /proc/drbd shows it, until both disks are good.
show_sync() {
    local line last="" began=$SECONDS
    until in_sync "$1"; do
        line="$(on "$1" status demo | grep "sync'ed" | tr -s ' \t\n' ' ' || true)"
        line="${line% }"
        if [ -n "$line" ] && [ "$line" != "$last" ]; then
            say "   | $line"
            last="$line"
        fi
        [ $((SECONDS - began)) -lt 120 ] || fail "the sync of $1 does not end"
        sleep_ms 300
    done
}
