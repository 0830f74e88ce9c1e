using BlockRepl.Core;

namespace BlockRepl.Simulation.Nodes;

/// <summary>A machine: its disks outlive its processes.</summary>
public sealed class SimNode
{
    private readonly SimCluster _cluster;
    private readonly Dictionary<ulong, (AdminCommand Command, Action<CommandResult>? Done)> _commands = [];
    private ulong _nextCommand = 1;

    public SimNode(SimCluster cluster, int index, IReadOnlyList<SimVolume> volumes)
    {
        _cluster = cluster;
        Index = index;
        Volumes = volumes;
        FrontEnd = new FrontEnd(cluster, this);
    }

    public int Index { get; }

    public string Name => Index == 0 ? "a" : "b";

    public IReadOnlyList<SimVolume> Volumes { get; }

    public SimHost? Host { get; private set; }

    public bool IsUp => Host is not null;

    public SimHost RunningHost => Host ?? throw new SimulationException($"node {Name} is down");

    public FrontEnd FrontEnd { get; private set; }

    /// <summary>The status after the last batch; empty while the node is down.</summary>
    public IReadOnlyList<VolumeStatus> Status { get; private set; } = [];

    /// <summary>The node was told to connect, and not to disconnect since.</summary>
    public bool ExpectsConnection { get; set; }

    /// <summary>It should be connected or trying, but gave up for good.</summary>
    public bool WasRefused =>
        ExpectsConnection && Status.Count > 0 && Status[0].Connection == Core.State.ConnectionState.StandAlone;

    public SimNode Peer => _cluster.Nodes[1 - Index];

    /// <summary>Exit codes of handlers; 0 unless a test says otherwise.</summary>
    public Func<HandlerKind, int> HandlerExitCode { get; set; } = static _ => 0;

    /// <summary>How long the fence-peer handler takes; other handlers, and it if null: 1 to 50 ms.</summary>
    public long? FencePeerNs { get; set; }

    /// <summary>Requests that were not answered, oldest first.</summary>
    public int CommandsRunning => _commands.Count;

    public IEnumerable<AdminCommand> RunningCommands => _commands.Values.Select(c => c.Command);

    public SimVolume Volume(int number) => Volumes[number];

    /// <summary>Starts the daemon: no disk is attached and nothing connected yet.</summary>
    public void Start()
    {
        if (IsUp)
        {
            throw new SimulationException($"node {Name} runs already");
        }

        _cluster.Network.SetHostUp(Index, true);
        Host = _cluster.NewHost(this);
        FrontEnd = new FrontEnd(_cluster, this);
        Host.Note(TraceKind.Fault, 0, 0, () => "starts");
        Refresh();
    }

    /// <summary>Power failure, or the process is killed; either way nothing of it remains but the disks.</summary>
    public void Crash(bool power)
    {
        SimHost host = RunningHost;
        host.Note(TraceKind.Fault, power ? 2u : 1u, 0, () => power ? "loses its power" : "is killed");
        _cluster.Network.CountFault(power ? "power-loss" : "kill");
        bool wasPrimary = Status.Count > 0 && Status[0].Role == Core.State.Role.Primary;
        Stop(host);
        foreach (SimVolume volume in Volumes)
        {
            volume.IsOpen = false;
            foreach (Disk.SimDisk disk in volume.Disks)
            {
                if (power)
                {
                    volume.Record = null;
                    disk.PowerLoss();
                }
                else
                {
                    disk.KillProcess();
                }
            }
        }

        if (power)
        {
            _cluster.Network.SetHostUp(Index, false);
            _cluster.Content.PowerLoss(Index);
        }
        else
        {
            _cluster.Network.CloseAll(Index);
            _cluster.Content.Kill(Index, wasPrimary);
        }
    }

    /// <summary>Everything stops, and the disks are made to be those of a node that never had data.</summary>
    public void RecreateMetaData()
    {
        Crash(power: false);
        foreach (SimVolume volume in Volumes)
        {
            volume.CreateMetaData();
        }
    }

    /// <summary>Asks something of the core; <paramref name="done"/> gets the answer.</summary>
    public void Command(AdminCommand command, Action<CommandResult>? done = null)
    {
        SimHost host = RunningHost;
        if (command is AdminCommand.Attach attach)
        {
            SimVolume volume = Volume(attach.Volume);
            volume.IsOpen = true;
            command = attach with { Survivors = volume.Record?.Read() };
        }

        ulong token = _nextCommand++;
        _commands.Add(token, (command, done));
        host.Note(TraceKind.Command, token, 0, () => $"command {token}: {command}");
        host.Deliver(core => core.OnCommand(host.NowNs, new CommandToken(token), command));
    }

    public void OnCommandDone(CommandToken token, CommandResult result)
    {
        if (!_commands.Remove(token.Value, out (AdminCommand Command, Action<CommandResult>? Done) command))
        {
            throw new SimulationException($"command {token.Value} was answered twice, or never asked");
        }

        RunningHost.Note(
            TraceKind.Command, token.Value, (ulong)(uint)result.Code,
            () => $"command {token.Value} ({command.Command.GetType().Name}): {result.Code} {result.Message}");
        if (!result.Succeeded && command.Command is AdminCommand.Attach attach)
        {
            Volume(attach.Volume).IsOpen = false;
        }

        command.Done?.Invoke(result);
    }

    /// <summary>Reads the status anew, and notes what changed.</summary>
    public void Refresh()
    {
        SimHost host = RunningHost;
        IReadOnlyList<VolumeStatus> now = host.Core.GetStatus(host.NowNs);
        for (int i = 0; i < now.Count; i++)
        {
            VolumeStatus s = now[i];
            VolumeStatus? old = i < Status.Count ? Status[i] : null;
            if (old is null || old.Connection != s.Connection || old.Role != s.Role || old.PeerRole != s.PeerRole
                || old.Disk != s.Disk || old.PeerDisk != s.PeerDisk)
            {
                host.Note(
                    TraceKind.State, (ulong)s.Connection * 100 + (ulong)s.Role, (ulong)s.Disk * 100 + (ulong)s.PeerDisk,
                    () => $"state {s.Volume}: {s.Role}/{s.PeerRole} {s.Connection} {s.Disk}/{s.PeerDisk}");
            }
        }

        Status = now;
    }

    private void Stop(SimHost host)
    {
        host.Kill();
        FrontEnd.Crash();
        _commands.Clear();
        Host = null;
        ExpectsConnection = false;
        Status = [];
    }
}
