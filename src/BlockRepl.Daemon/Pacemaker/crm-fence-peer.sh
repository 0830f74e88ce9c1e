#!/bin/bash
# crm-fence-peer.sh, crm-unfence-peer.sh: DRBD's handlers for Pacemaker.
#
#   disk     { fencing resource-and-stonith; }
#   handlers { fence-peer "/usr/lib/drbd/crm-fence-peer.sh"; after-resync-target "/usr/lib/drbd/crm-unfence-peer.sh"; }
#
# The first one forbids, by a constraint in the cluster's configuration, that the resource is promoted anywhere but
# here; then it finds out about the peer. Exit codes, as DRBD understands them:
#
#   3   the peer's data were inconsistent before
#   4   the peer lives, and the cluster has the constraint: it cannot become Primary
#   5   the peer cannot be reached, and nobody shoots nodes here (no STONITH, or fencing resource-only); or the data
#       here are only Consistent: then nothing is forbidden, and this node must not be promoted
#   6   the peer has been promoted: this node's data are outdated
#   7   the peer was shot, or has left the cluster in order
#   1   not known; I/O stays frozen with resource-and-stonith, a promotion is refused
#
# The second one takes the constraint back when both sides are UpToDate; 1: they are not, or the cluster does not
# answer.
#
# Options, with = or as the next word:
#   --resource, --master-id      the DRBD resource; the cluster's promotable clone of it (default: looked up)
#   --unreachable-peer-is WORD   outdated: data that are only Consistent count as UpToDate, although a peer that does
#                                not answer may have newer ones
#   --timeout SECONDS            for the peer to be shot (90)
#   --dc-timeout SECONDS         for the cluster to take the constraint (20)
#   --fencing POLICY             as in the disk section (default: what the resource runs with)
#   --role, --fencing-attribute, --id-prefix    of the constraint (Master, #uname, drbd-fence-by-handler)
#   --lock-dir, --flock-timeout  one of them at a time for each resource (/run/lock, 120)
#   --quiet                      nothing on standard error; the system's log has it all the same
# Others of the original are accepted and have no effect.
set -u
export LC_ALL=C PATH="$PATH:/usr/sbin:/sbin"
PROGRAM=${0##*/}
RESOURCE=${DRBD_RESOURCE:-}
PEER=${DRBD_PEER:-}
CLONE=
UNREACHABLE=unknown
TIMEOUT=90
DC_TIMEOUT=20
FENCING=
ROLE=Master
ATTRIBUTE='#uname'
PREFIX=drbd-fence-by-handler
LOCK_DIR=/run/lock
LOCK_TIMEOUT=120
QUIET=no

say() {
    [ "$QUIET" = yes ] || echo "$PROGRAM: $*" >&2
    logger -t "$PROGRAM" -- "${RESOURCE:-?}: $*" 2>/dev/null
}

end() { # end CODE WORDS...
    local code="$1"
    shift
    say "$* (exit code $code)"
    exit "$code"
}

read_options() {
    local name value
    while [ $# -gt 0 ]; do
        name="${1%%=*}"
        case "$name" in
            --quiet) QUIET=yes; shift; continue ;;
            --logfacility | --master-id | --resource | --timeout | --dc-timeout | --fencing | --role | --id-prefix | \
                --fencing-attribute | --lock-dir | --flock-timeout | --network-hickup | --tag | \
                --unreachable-peer-is) ;;
            *) say "$1 has no effect here"; shift; continue ;;
        esac
        if [ "$name" != "$1" ]; then
            value="${1#*=}"
        else
            [ $# -gt 1 ] || end 1 "$name needs a value"
            value="$2"
            shift
        fi
        shift
        case "$name" in
            --master-id) CLONE="$value" ;;
            --unreachable-peer-is) UNREACHABLE="$value" ;;
            --resource) RESOURCE="$value" ;;
            --timeout) TIMEOUT="$value" ;;
            --dc-timeout) DC_TIMEOUT="$value" ;;
            --fencing) FENCING="$value" ;;
            --role) ROLE="$value" ;;
            --id-prefix) PREFIX="$value" ;;
            --fencing-attribute) ATTRIBUTE="$value" ;;
            --lock-dir) LOCK_DIR="$value" ;;
            --flock-timeout) LOCK_TIMEOUT="$value" ;;
        esac
    done
}

# The cluster's answer, or nothing within the time for it.
ask() { timeout "$DC_TIMEOUT" "$@" 2>/dev/null; }

# attribute NAME: its value in the first element that comes in.
attribute() { sed -nE "s/^.*[ <]$1=\"([^\"]*)\".*/\1/p;T;q"; }

find_clone() {
    [ -n "$CLONE" ] && return
    local wanted="instance_attributes/nvpair[@name='drbd_resource' and @value='$RESOURCE']"
    CLONE="$(ask cibadmin --query --node-path --xpath "//primitive[$wanted]" |
        sed -nE "s,.*/(clone|master)\[@id='([^']*)'\].*,\2,p" | head -n 1)"
    [ -n "$CLONE" ] || end 1 "the cluster does not answer, or has no promotable clone for drbd_resource=$RESOURCE"
}

# What only this node has of the attribute.
own_value() {
    if [ "$ATTRIBUTE" = "#uname" ]; then
        echo "$SELF"
    else
        ask crm_attribute --lifetime forever --node "$SELF" -n "$ATTRIBUTE" -G -q
    fi
}

constraint() { # constraint VALUE
    printf '<rsc_location rsc="%s" id="%s">' "$CLONE" "$ID"
    printf '<rule role="%s" score="-INFINITY" id="%s-rule">' "$ROLE" "$ID"
    printf '<expression attribute="%s" operation="ne" value="%s" id="%s-expr"/></rule></rsc_location>' \
        "$ATTRIBUTE" "$1" "$ID"
}

# The node for which a constraint is there already; fails without one.
owner() {
    local known
    known="$(ask cibadmin --query --xpath "//rsc_location[@id='$ID']")" || return
    grep '<expression' <<<"$known" | attribute value
}

is_mine() { [ "$(owner)" = "$OWN" ]; }

# Whether the constraint for this node is in the cluster's configuration.
forbid() {
    local began=$SECONDS
    until is_mine; do
        [ $((SECONDS - began)) -lt "$DC_TIMEOUT" ] || return 1
        ask cibadmin --create --scope constraints --sync-call --xml-text "$(constraint "$OWN")" >/dev/null && continue
        # It may be there for another node: that one was faster.
        owner >/dev/null && ! is_mine && return 1
        sleep 1
    done
}

# states NAME: the value for each volume, with a space behind each.
states() { drbdsetup sh-status "$RESOURCE" 2>/dev/null | sed -n "s/^_$1=//p" | tr '\n' ' '; }

# all_are WORD... <VALUES: each of them is one of these words, and there is one.
all_are() {
    local value words=" $* " found=1
    for value in $(cat); do
        [[ $words == *" $value "* ]] || return 1
        found=0
    done
    return $found
}

# Sets STATE to what the cluster holds of the peer: online, down (left in order, or shot), or lost.
look_at_peer() {
    local line
    line="$(ask crm_mon --one-shot --output-as=xml | grep -F "<node name=\"$PEER\" id=" | head -n 1)"
    case "$(attribute online <<<"$line") $(attribute unclean <<<"$line") $(attribute expected_up <<<"$line")" in
        true*) STATE=online ;;
        "false false false") STATE=down ;;
        *) STATE=lost ;;
    esac
}

# The peer's controller answers after the constraint was taken: it is in the same membership, and has it.
peer_answers() { ask crmadmin --timeout=3s --status="$PEER" | grep -q ': ok'; }

peer_is_promoted() {
    ask crm_resource --resource "$CLONE" --locate | grep -F "$PEER" | grep -qE 'Promoted|Master'
}

someone_shoots() {
    [ "$FENCING" = resource-and-stonith ] &&
        [ "$(ask crm_attribute --type crm_config --name stonith-enabled --query --quiet --default true)" != false ]
}

# Whether a peer that does not answer cannot have newer data, or none that anybody waits for.
data_are_good() {
    states disk | all_are UpToDate && return
    [ "$UNREACHABLE" = outdated ] && states disk | all_are UpToDate Consistent
}

fence() {
    local began=$SECONDS before
    before="$(states pdsk)"
    OWN="$(own_value)"
    [ -n "$OWN" ] || end 1 "$SELF has no attribute $ATTRIBUTE"
    # To shoot the peer does not make the data here any better.
    data_are_good || is_mine || peer_answers || end 5 "$PEER does not answer, and may have newer data"
    if ! forbid; then
        peer_answers && peer_is_promoted && end 6 "$PEER is the one that may be promoted, and is"
        end 1 "the constraint $ID cannot be placed"
    fi
    while :; do
        look_at_peer
        [ "$STATE" != down ] || end 7 "$PEER is down for sure, and forbidden to be promoted"
        if peer_answers; then
            all_are Inconsistent <<<"$before" && end 3 "$PEER is inconsistent, and forbidden to be promoted"
            end 4 "$PEER is forbidden to be promoted"
        fi
        someone_shoots || [ "$STATE" = online ] || end 5 "$PEER cannot be reached, and nobody shoots it"
        [ $((SECONDS - began)) -lt "$TIMEOUT" ] || end 1 "$PEER was not shot within $TIMEOUT s"
        sleep 1
    done
}

unfence() {
    local began=$SECONDS
    until [ -z "$(owner)" ]; do
        if states disk | all_are UpToDate && states pdsk | all_are UpToDate; then
            ask cibadmin --delete --sync-call --xpath "//rsc_location[@id='$ID']" >/dev/null &&
                end 0 "any node may be promoted again"
        fi
        [ $((SECONDS - began)) -lt "$DC_TIMEOUT" ] || end 1 "the constraint $ID stays: not all is UpToDate"
        sleep 1
    done
    exit 0
}

read_options "$@"
[ -n "$RESOURCE" ] || end 1 "which resource? DRBD_RESOURCE is not set"
[ -n "$PEER" ] || end 1 "which peer? DRBD_PEER is not set"
SELF="$(ask crm_node --name)" || end 1 "the cluster does not run here"
: "${FENCING:=$(drbdsetup show "$RESOURCE" 2>/dev/null | sed -nE 's/^\s*fencing\s+([a-z-]+);.*/\1/p' | head -n 1)}"
exec 9>"$LOCK_DIR/$PREFIX-$RESOURCE.lock" && flock --timeout "$LOCK_TIMEOUT" 9 || end 1 "another one of us is at work"
find_clone
ID="$PREFIX-$RESOURCE-$CLONE"
case "$PROGRAM" in
    crm-unfence-peer*) unfence ;;
    *) fence ;;
esac
