# Completion of drbdadm's and drbdsetup's commands, options and resources, where drbd-utils brings none.
_blockrepl_drbd()
{
    local program="${COMP_WORDS[0]##*/}" current="${COMP_WORDS[COMP_CWORD]}" before="${COMP_WORDS[COMP_CWORD-1]}"
    local command="" word words
    case "$before" in
        -c | --config-file | -t | --config-to-test)
            mapfile -t COMPREPLY < <(compgen -f -- "$current")
            return
            ;;
    esac
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        if [[ "$word" =~ ^[a-z] ]]; then
            command="$word"
            break
        fi
    done
    case "$current" in
        -*) words="$("$program" help $command 2>/dev/null | grep -oE -e '--[a-z][a-z-]*')" ;;
        *)
            if [ -n "$command" ]; then
                words="all $(drbdadm sh-resources 2>/dev/null)"
            else
                words="$("$program" help 2>/dev/null | sed -nE '/^(COMMANDS:|Commands are:)/,/^$/{/^ /p}')"
            fi
            ;;
    esac
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
}
complete -F _blockrepl_drbd drbdadm drbdsetup
