# Completes the administrator's commands for bash. Options and subcommands come from each command's own --help, so they
# are always the ones that it takes.

_clamscanner() {
    local command=$1 word=$2 before=$3 help options verbs i verb=
    help=$("$command" --help 2>/dev/null) || return
    options=$(sed -n 's/^  \(--[a-z0-9-]*\).*/\1/p' <<<"$help")
    # "usage: NAME [OPTION ...] add USER | list": the words that begin with a small letter, behind the options.
    verbs=$(sed -n '1s/^usage: [^ ]* \[OPTION [.]*\]//p' <<<"$help" | grep -oE '(^|[| ])[a-z][a-z-]*' | tr -d '| ')
    COMPREPLY=()
    case $before in
        --config) mapfile -t COMPREPLY < <(compgen -f -- "$word"); return ;;
        --account) mapfile -t COMPREPLY < <(compgen -u -- "$word"); return ;;
        --allow)
            mapfile -t COMPREPLY < <(compgen -W "$("$command" --list-held 2>/dev/null | cut -f 1)" -- "$word"); return ;;
        --ignore) mapfile -t COMPREPLY < <(compgen -W 'list add remove' -- "$word"); return ;;
        remove)
            [[ ${command##*/} == clamscanner-scan ]] &&
                mapfile -t COMPREPLY < <(compgen -W "$("$command" --ignore list 2>/dev/null | cut -f 1)" -- "$word")
            [[ ${command##*/} == clamscanner-scan ]] && return ;;
        --quarantine | --finds | --signature)
            mapfile -t COMPREPLY < <(compgen -W "$("$command" --finds 2>/dev/null | cut -f 1 | sort -u)" -- "$word")
            return ;;
    esac
    if [[ $word == -* ]]; then
        mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
        return
    fi
    for ((i = 1; i < COMP_CWORD; ++i)); do
        [[ " ${verbs//$'\n'/ } " == *" ${COMP_WORDS[i]} "* ]] && verb=${COMP_WORDS[i]}
    done
    case ${command##*/}/$verb in
        */) mapfile -t COMPREPLY < <(compgen -W "$verbs" -- "$word") ;;
        clamscanner-keys/add | clamscanner-tokens/* | clamscanner-account/hold)
            mapfile -t COMPREPLY < <(compgen -u -- "$word") ;;
        clamscanner-account/release)
            mapfile -t COMPREPLY < <(compgen -W "$("$command" list 2>/dev/null | cut -d ' ' -f 1)" -- "$word") ;;
        clamscanner-fleet/remove-machine | clamscanner-fleet/findings)
            mapfile -t COMPREPLY < <(compgen -W "$("$command" list 2>/dev/null | cut -f 1)" -- "$word") ;;
        clamscanner-keys/enable | clamscanner-keys/disable | clamscanner-keys/remove)
            mapfile -t COMPREPLY < <(compgen -W "$("$command" list 2>/dev/null | cut -d ' ' -f 1)" -- "$word") ;;
    esac
}

complete -F _clamscanner clamscanner-keys clamscanner-tokens clamscanner-account clamscanner-fleet clamscanner-scan clamscanner-status
