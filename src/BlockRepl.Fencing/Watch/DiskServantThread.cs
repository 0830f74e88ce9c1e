using BlockRepl.Fencing.CommandLine;
using BlockRepl.Fencing.Devices;
using BlockRepl.Platform.Native;
using BlockRepl.Sbd;

namespace BlockRepl.Fencing.Watch;

/// <summary>A servant on a thread of its own. Nobody waits for it: it reports, or it does not.</summary>
internal sealed class DiskServantThread(int input, string device, SbdOptions options, EventQueue events)
    : IServant, IServantReports
{
    private volatile bool _hasStarted;

    public string Name { get; } = DeviceNames.Shown(device);

    public bool HasStarted => _hasStarted;

    public void Start(bool firstStart) =>
        new Thread(() => Run(firstStart)) { IsBackground = true, Name = $"servant {Name}" }.Start();

    void IServantReports.Alive(long evidenceNs)
    {
        _hasStarted = true;
        events.Post(new DaemonEvent(DaemonEventKind.Alive) { Input = input, EvidenceNs = evidenceNs });
    }

    void IServantReports.MessageSeen(Message message, NodeName sender) => events.Post(
        new DaemonEvent(DaemonEventKind.MessageSeen) { Input = input, Mailbox = new Mailbox(message, sender) });

    private void Run(bool firstStart)
    {
        if (options.RealTime)
        {
            _ = ProcessProtection.SetRealTime();
        }

        var end = new DaemonEvent(DaemonEventKind.ServantEnded) { Input = input, End = ServantEnd.DeviceLost };
        try
        {
            using var opened = SectorDevices.Open(device, options);
            var runner = new ProcedureRunner(opened, options.IoTimeout, Thread.Sleep);
            var servant = new DiskServant(runner.Exchange, NodeName.FromText(options.NodeName), this);
            runner.Run(servant.Run(firstStart, options.StartClean));
            _hasStarted |= servant.HasStarted;
            var problem = servant.Problem.Length > 0 ? $"{Name}: {servant.Problem}" : opened.LastError;
            end = end with { End = servant.End, Mailbox = servant.Mailbox, Reason = problem };
        }
        catch (SbdException refusal)
        {
            end = end with { Reason = refusal.Message };
        }

        events.Post(end);
    }
}
