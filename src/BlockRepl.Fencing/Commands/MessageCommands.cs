using BlockRepl.Fencing.CommandLine;
using BlockRepl.Fencing.Devices;
using BlockRepl.Fencing.Logging;
using BlockRepl.Sbd;

namespace BlockRepl.Fencing.Commands;

/// <summary>The commands that write into a node's mailbox, on all devices at the same time.</summary>
internal sealed class MessageCommands(SbdOptions options, Terminal terminal, SystemLog log)
{
    /// <summary>
    /// True as soon as more than half of the devices have taken the message and msgwait has passed on them: then the
    /// node has seen it, or has lost so many devices that its watchdog has ended it.
    /// </summary>
    public bool Send()
    {
        if (options.Arguments.Count < 2)
        {
            throw new SbdException("message needs the name of a node and a word: "
                + "test, reset, off, crashdump, exit or clear");
        }

        var message = MessageWords.Parse(options.Arguments[1])
            ?? throw new SbdException($"\"{options.Arguments[1]}\" is no message; "
                + "there are test, reset, off, crashdump, exit and clear");
        return SendToAll(message, ping: false);
    }

    /// <summary>Always true, as scripts know it; what happened is said in words.</summary>
    public bool Ping()
    {
        if (options.Arguments.Count == 0)
        {
            log.Error("ping needs the name of a node");
        }
        else if (SendToAll(Message.Test, ping: true))
        {
            log.Notice($"{options.Arguments[0]} has answered");
        }

        return true;
    }

    private bool SendToAll(Message message, bool ping)
    {
        var self = NodeName.FromText(options.NodeName);
        var target = options.Arguments[0] == "LOCAL" ? self : NodeName.FromText(options.Arguments[0]);
        if (options.Devices.Count == 0)
        {
            throw new SbdException("there is no device: give one with -d, or set SBD_DEVICE");
        }

        var tally = new Tally(options.Devices.Count);
        foreach (var name in options.Devices)
        {
            new Thread(() => tally.Count(SendTo(name, target, message, self, ping)))
            {
                IsBackground = true, Name = $"message {name}",
            }.Start();
        }

        return tally.WaitForMajority();
    }

    private bool SendTo(string name, NodeName target, Message message, NodeName self, bool ping)
    {
        try
        {
            using var device = SectorDevices.Open(name, options);
            var runner = new ProcedureRunner(device, options.IoTimeout, terminal.Wait);
            var table = new SlotTable(runner.Exchange);
            runner.Run(table.Send(target, message, self, ping));

            if (table.Outcome != SlotOutcome.Done)
            {
                log.Error(Outcomes.Describe(table, device));
            }

            return table.Outcome == SlotOutcome.Done;
        }
        catch (SbdException refusal)
        {
            log.Error(refusal.Message);
            return false;
        }
    }

    /// <summary>Counts the devices that are done.</summary>
    private sealed class Tally(int all)
    {
        private readonly object _lock = new();
        private int _good;
        private int _done;

        public void Count(bool good)
        {
            lock (_lock)
            {
                _done++;
                _good += good ? 1 : 0;
                Monitor.PulseAll(_lock);
            }
        }

        public bool WaitForMajority()
        {
            lock (_lock)
            {
                while (_good * 2 <= all && _done < all)
                {
                    Monitor.Wait(_lock);
                }

                return _good * 2 > all;
            }
        }
    }
}
