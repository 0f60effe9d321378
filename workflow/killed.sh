# Sourced before the command of each job, which ends in `> LOG 2>&1`: a program that is killed, as
# the system does to one that takes too much memory, cannot say so in its log itself.
tell_of_a_kill() {
    [ $? -eq 137 ] || return 0
    local log=${BASH_EXECUTION_STRING##*> }
    eval "echo 'killed (signal 9), as a program is that takes more memory than it may;" \
        "a job that is tried again asks for more: see \`mem_mb\` and \`retries\`' >> ${log% 2>&1}"
}
trap tell_of_a_kill EXIT
