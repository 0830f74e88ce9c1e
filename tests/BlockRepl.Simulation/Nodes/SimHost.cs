using BlockRepl.Core;
using BlockRepl.Core.Options;
using BlockRepl.Simulation.Net;

namespace BlockRepl.Simulation.Nodes;

/// <summary>
/// One process of a node: it carries out what the core asks, and feeds it events. After a crash a new host with a new
/// core takes its place; what was under way for the old one is forgotten.
/// </summary>
public sealed partial class SimHost : ICoreHost, ISocketOwner
{
    private readonly SimCluster _cluster;
    private readonly Rng _rng;
    private readonly long _clockOffsetNs;
    private readonly Queue<Action> _afterCall = new();
    private bool _batchScheduled;
    private long _armedNs = long.MaxValue;

    public SimHost(SimCluster cluster, SimNode node, Rng rng, ResourceOptions options, Func<ICoreHost, ICoreHost> plant)
    {
        _cluster = cluster;
        Node = node;
        _rng = rng;
        _clockOffsetNs = rng.Between(1, 1000 * Duration.Second);
        Core = new ResourceCore(plant(this), options);
    }

    public SimNode Node { get; }

    public ResourceCore Core { get; }

    public SimBuffers Buffers { get; } = new();

    /// <summary>The process ended: nothing reaches its core any more.</summary>
    public bool IsDead { get; private set; }

    /// <summary>The node's own monotonic clock.</summary>
    public long NowNs => _cluster.Queue.NowNs + _clockOffsetNs;

    public ulong NextRandom() => _rng.NextULong();

    /// <summary>Ends the process as a crash does.</summary>
    public void Kill()
    {
        IsDead = true;
        _streams.Clear();
    }

    /// <summary>Lets the core handle an event now, and its batch end a little later.</summary>
    public void Deliver(Action<ResourceCore> action)
    {
        if (IsDead)
        {
            return;
        }

        Call(() => action(Core));
        ScheduleBatchEnd();
    }

    private void Call(Action action)
    {
        try
        {
            action();
        }
        catch (SimulationException failure)
        {
            throw new SimulationException($"node {Node.Name}: {failure.Message}", failure);
        }
        catch (Exception cause) when (cause is not OutOfMemoryException)
        {
            throw new SimulationException($"node {Node.Name}: {cause.Message}", cause);
        }

        // An answer may lead to the next command, and so to another call from here.
        while (_afterCall.TryDequeue(out Action? next))
        {
            next();
        }
    }

    private void ScheduleBatchEnd()
    {
        if (_batchScheduled)
        {
            return;
        }

        _batchScheduled = true;
        _cluster.Queue.After(_rng.Below(30) * Duration.Microsecond, EndBatch);
    }

    private void EndBatch()
    {
        _batchScheduled = false;
        if (IsDead)
        {
            return;
        }

        Call(() => Core.EndBatch(NowNs));
        ReadWhatWaited();

        ArmTimer();
        _cluster.AfterBatch(Node);
    }

    private void ArmTimer()
    {
        long deadline = Core.NextDeadlineNs;
        if (deadline >= _armedNs || deadline == long.MaxValue)
        {
            return;
        }

        _armedNs = deadline;
        long late = _rng.Percent(5)
            ? _rng.Between(0, 20 * Duration.Millisecond)
            : _rng.Between(0, 200 * Duration.Microsecond);
        _cluster.Queue.At(
            Math.Max(deadline - _clockOffsetNs, _cluster.Queue.NowNs) + 1000 + late, () => OnTimer(deadline));
    }

    private void OnTimer(long armedFor)
    {
        if (IsDead)
        {
            return;
        }

        if (_armedNs == armedFor)
        {
            _armedNs = long.MaxValue;
        }

        if (Core.NextDeadlineNs <= NowNs)
        {
            Deliver(core => core.OnTimer(NowNs));
        }
        else
        {
            ArmTimer();
        }
    }

    // ---- front end, administrator, handlers ----

    public void CompleteRequest(FrontEndToken token, RequestError error) =>
        _afterCall.Enqueue(() => Node.FrontEnd.OnCompleted(token, error));

    public void DeviceChanged(int volume)
    {
    }

    public void CompleteCommand(CommandToken token, in CommandResult result)
    {
        CommandResult copy = result;
        _afterCall.Enqueue(() => Node.OnCommandDone(token, copy));
    }

    public void RunHandler(IoToken token, HandlerKind handler, int volume)
    {
        int exitCode = Node.HandlerExitCode(handler);
        Note(
            TraceKind.Handler,
            (ulong)handler,
            (ulong)exitCode,
            () => $"handler {handler} of volume {volume} exits {exitCode}");
        long drawn = _rng.Between(1, 50) * Duration.Millisecond;
        long? given = handler == HandlerKind.FencePeer ? Node.FencePeerNs : null;
        After(given ?? drawn, core => core.OnHandlerDone(NowNs, token, exitCode));
    }

    public void Log(CoreLogLevel level, int volume, string message) =>
        Note(TraceKind.Log, (ulong)level, (ulong)message.Length, () => $"log {level} {volume}: {message}");

    internal void After(long delayNs, Action<ResourceCore> action) =>
        _cluster.Queue.After(delayNs, () => Deliver(action));

    internal void Note(TraceKind kind, ulong a, ulong b, Func<string> text) =>
        _cluster.Trace.Note(Node.Index, (int)kind, a, b, text);
}

/// <summary>Kinds of trace lines.</summary>
public enum TraceKind
{
    Log,
    Handler,
    Disk,
    Meta,
    Stream,
    Send,
    Receive,
    Request,
    Command,
    State,
    Fault,
    Check,
}
