namespace BlockRepl.Fencing.CommandLine;

/// <summary>What -h prints.</summary>
internal static class Usage
{
    public const string Text = """
        sbd: fences nodes through a disk that they share, and this node with its watchdog.

        usage: sbd [OPTIONS] COMMAND [ARGUMENTS]

        Commands:
          create                 write a header and empty slots to the devices; ends everything that was on them
          dump                   print the headers
          list                   print the slots: number, node, message, sender
          allocate NODE          give a node a slot
          message NODE WORD      send test, reset, off, crashdump, exit or clear to a node (LOCAL: this one)
          ping NODE              send a test and wait until the node has seen it
          watch                  start the daemon
          query-watchdog         print the watchdogs of this machine
          test-watchdog          let the watchdog reset this machine

        Options:
          -d DEVICE    shared device; up to three times (else SBD_DEVICE)
          -n NODE      name of this node (else what uname -n says, in lower case)
          -I N         seconds that a read or write may take (3)
          -1 N -2 N -3 N -4 N
                       create: time-outs of watchdog (5), allocation (2), loop (1), msgwait (10), in seconds
          -v           log more; twice or three times: still more
          -h           print this

        Options of watch:
          -w DEVICE    watchdog; /dev/null for none (/dev/watchdog)
          -W           use a watchdog; twice: use none
          -T           leave the watchdog's time-out as it is
          -S 0|1       start always (0), or only if no message waits (1)
          -s N         seconds to wait for a device at the start (120)
          -5 N         warn when a loop takes longer than N seconds; 0: never
          -C N         time-out of the watchdog while the machine dumps its memory; 0: none
          -t N -F N    a servant is restarted at most N (-F, 1) times within N (-t, 5) seconds; -F 0: always
          -P           consult Pacemaker; twice: do not
          -c           consult the cluster; twice: do not
          -z           a majority of devices is not enough: the cluster must be healthy too
          -r LIST      what to do when this node must end itself: flush or noflush, and reboot, off or crashdump
          -p FILE      write the process number to FILE
          -R           no real-time priority, no locked memory
          -Z           trace: do not reset, see the manual; up to three times
        """;
}
