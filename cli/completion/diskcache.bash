# bash completion for diskcache(1): made by `diskcache completion bash`
_diskcache()
{
    local current=${COMP_WORDS[COMP_CWORD]} command='' word skip='' options
    local -a directory=()
    for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
        if [[ $skip ]]; then
            [[ $skip == d ]] && directory=(-d "$word")
            skip=''
            continue
        fi
        case $word in
        -d | --directory) skip=d ;;
        --timeout | --fanout) skip=t ;;
        -*) ;;
        *) command=$word; break ;;
        esac
    done
    case $command in
    '') options='get set add rm exists touch incr pop push pull peek deque index ls stats top info config run lock check expire cull evict clear compact backup doctor dump load bench completion version help' ;;
    get) options=' --output --raw --default --type' ;;
    set) options=' --file --expire --tag --tag-type --pin --text --bytes --int --float --none --pickle --hex --type' ;;
    add) options=' --file --expire --tag --tag-type --pin --text --bytes --int --float --none --pickle --hex --type' ;;
    rm) options=' --type' ;;
    exists) options=' --type' ;;
    touch) options=' --expire --type' ;;
    incr) options=' --initial --must-exist --expire --tag --tag-type --type' ;;
    pop) options=' --output --raw --default --type' ;;
    push) options=' --file --expire --tag --tag-type --pin --text --bytes --int --float --none --pickle --hex --prefix --side' ;;
    pull) options=' --prefix --side --output --raw --default' ;;
    peek) options=' --prefix --side --output --raw --default' ;;
    deque) options=' --side --file --text --bytes --int --float --none --pickle --hex --output --raw --default --reverse --limit' ;;
    index) options=' --side --file --expire --tag --tag-type --no-tag --pin --text --bytes --int --float --none --pickle --hex --output --raw --default --type --prefix --long --expired --live --sort --reverse --limit --zero --ordered' ;;
    ls) options=' --long --prefix --tag --tag-type --no-tag --type --expired --live --sort --reverse --limit --show --zero' ;;
    stats) options=' --reset --watch --interval --count --prometheus' ;;
    top) options=' --interval --limit' ;;
    info) options='' ;;
    config) options=' --text' ;;
    run) options=' --expire --tag --tag-type --stdin --env --file --no-cwd --refresh --keep-failures --key' ;;
    lock) options=' --expire --semaphore --type' ;;
    check) options=' --fix' ;;
    expire) options='' ;;
    cull) options='' ;;
    evict) options=' --tag-type' ;;
    clear) options=' --yes' ;;
    compact) options='' ;;
    backup) options='' ;;
    doctor) options='' ;;
    dump) options=' --prefix --tag --tag-type --show' ;;
    load) options=' --add' ;;
    bench) options=' --count' ;;
    completion) options='' ;;
    version) options='' ;;
    help) options='' ;;
    esac
    if [[ $skip == d ]]; then
        mapfile -t COMPREPLY < <(compgen -d -- "$current")
        return
    fi
    case $command:$current in
    *:-* | :*) ;;
    help:*) options='get set add rm exists touch incr pop push pull peek deque index ls stats top info config run lock check expire cull evict clear compact backup doctor dump load bench completion version help' ;;
    completion:*) options='bash zsh fish' ;;
    deque:*) options='push pop peek get set rm remove count ls len rotate reverse maxlen' ;;
    index:*) options='get set setdefault rm exists pop popitem peekitem push pull peek ls len equal' ;;
    get:* | set:* | rm:* | exists:* | touch:* | incr:* | pop:*)
        mapfile -t COMPREPLY < <(diskcache "${directory[@]}" ls --type text --live \
            --limit 100 --prefix "$current" 2>/dev/null)
        return ;;
    *)
        mapfile -t COMPREPLY < <(compgen -f -- "$current")
        return ;;
    esac
    options+=' --directory --json --timeout --fanout --help'
    mapfile -t COMPREPLY < <(compgen -W "$options" -- "$current")
}
complete -F _diskcache diskcache
