using BlockRepl.Core;
using BlockRepl.FrontEnd;
using BlockRepl.Platform.Buffers;
using BlockRepl.Platform.Digests;
using BlockRepl.Platform.Loop;
using BlockRepl.Platform.Net;
using Microsoft.Extensions.Logging;

namespace BlockRepl.Engine;

/// <summary>
/// The host of one <see cref="ResourceCore"/>: feeds it the events of its loop and carries out its effects. Everything
/// here belongs to the loop's thread unless it says otherwise. A turn of the loop delivers events as they come; at its
/// end the queued packets, completions and results are delivered, the core ends its batch, the digests of what is to be
/// sent are computed together, and the loop hands all started operations to the kernel in one call.
/// </summary>
internal sealed partial class ResourceDriver
    : ICoreHost, IBatchHandler, ILoopTimerHandler, IListenerHandler, IDisposable
{
    /// <summary>
    /// Streams of one resource at one time: two in use, two more while a new pair replaces a dead one, and as many of
    /// the peer's attempts as cross with ours.
    /// </summary>
    private const int MaxStreams = 8;

    private readonly ILogger _logger;
    private readonly FlightRecorder _recorder = new();
    private readonly Dictionary<int, ResourceStream> _streams = new(MaxStreams);
    private readonly Dictionary<int, VolumeDevice> _volumes = [];
    private readonly VolumeDevice[] _devices;
    private readonly DigestQueue _sendDigests = new();
    private readonly LoopTimer _timer;
    private long _gatherDeadlineNs = long.MaxValue;

    /// <summary>Requests of clients that the core has and has not completed.</summary>
    private int _requestsInFlight;
    private bool _coreTouched;
    private bool _statusDirty;

    public ResourceDriver(ResourceEngineOptions options, ILogger logger)
    {
        Options = options;
        _logger = logger;
        Observers = new StatusObservers(options.Resource.Name, logger);
        Loop = new EventLoop(new EventLoopOptions
        {
            Name = "res-" + options.Resource.Name,
            Backend = options.Backend,
            Fault = OnFault,
        });
        Accounts = new BufferAccounts(new IoBufferPool(new IoBufferPoolOptions
        {
            TotalBytes = PoolBudget.TotalBytes,
            Diagnostic = options.DiagnosticBuffers,
        }));
        _devices =
            [.. options.Resource.Volumes.Select((volume, index) => new VolumeDevice(this, index, volume.Number))];
        foreach (var device in _devices)
        {
            _volumes.Add(device.Volume, device);
        }

        Core = new ResourceCore(this, options.Resource);
        _timer = Loop.CreateTimer(this);
        Loop.AddBatchHandler(this);
    }

    /// <summary>With what the resource was started; its options may have changed since, see the core's.</summary>
    public ResourceEngineOptions Options { get; }

    private StreamSocketOptions StreamOptions => new()
    {
        SendBufferBytes = Core.Options.Net.SendBufferBytes,
        ReceiveBufferBytes = Core.Options.Net.ReceiveBufferBytes,
        PauseInputBytes = 256 << 10,
        ResumeInputBytes = 128 << 10,
    };

    public EventLoop Loop { get; }

    public BufferAccounts Accounts { get; }

    public ResourceCore Core { get; }

    public StatusObservers Observers { get; }

    public IReadOnlyList<IVolumeDevice> Devices => _devices;

    /// <summary>Payloads of clients' writes that are arriving right now.</summary>
    public int PayloadsArriving { get; set; }

    /// <summary>
    /// Digests of received payloads and of buffers the core wants hashed; run when packets are delivered.
    /// </summary>
    public DigestQueue ReceiveDigests { get; } = new();

    /// <summary>From the creating thread, once.</summary>
    public void Start()
    {
        Log.Started(_logger, Options.Resource.Name, Loop.Backend.ToString(), Digest.Describe());
        Loop.Start();
        Loop.Post(EndTurn); // arms the first timer
    }

    /// <summary>From any thread but the loop's.</summary>
    public void Dispose()
    {
        using var closed = new ManualResetEventSlim();
        if (Loop.Post(() =>
        {
            CloseEverything();
            closed.Set();
        }))
        {
            closed.Wait(TimeSpan.FromSeconds(5));
        }

        Loop.Dispose();
        FailCommands();
        _sendDigests.Dispose();
        ReceiveDigests.Dispose();
        Accounts.Pool.Dispose();
    }

    public void OnEndOfBatch(long nowNs) => EndTurn();

    public void OnTimer(long nowNs)
    {
        if (Core.NextDeadlineNs > nowNs)
        {
            return; // what was gathered is seen to at the end of the turn
        }

        _recorder.Record(nowNs, Flight.Timer);
        _coreTouched = true;
        Core.OnTimer(nowNs);
    }

    /// <summary>
    /// Delivers what the turn left behind until nothing is left. Each round answers what the one before caused: a
    /// completion frees a slot, a client's next request is cut from its stream, the core starts its write.
    /// </summary>
    private void EndTurn()
    {
        TurnNumber++;
        do
        {
            while (DeliverOnce())
            {
            }

            ReleaseHeldSends();
        }
        while (_deferred.Count > 0);

        TellDevicesChanged();
        _timer.DeadlineNs = NextDeadline();
        PublishStatus();
    }

    private bool DeliverOnce()
    {
        var progress = DeliverPackets();
        progress |= DeliverHashes();
        progress |= DeliverDeferred();
        progress |= DeliverCompletions();
        progress |= WakeBufferWaiters();
        if (_coreTouched)
        {
            _coreTouched = false;
            Core.EndBatch(Loop.NowNs);
            progress = true;
        }

        return progress;
    }

    /// <summary>Counts the turns.</summary>
    public long TurnNumber { get; private set; }

    /// <summary>The next turn follows at once, without sleeping.</summary>
    public void LookAgain() => Loop.Post(NoWork.Instance);

    private long NextDeadline()
    {
        var deadlineNs = Math.Min(Core.NextDeadlineNs, _gatherDeadlineNs);
        foreach (var stream in _streams.Values)
        {
            deadlineNs = Math.Min(deadlineNs, stream.IsEnded ? long.MaxValue : stream.GatherDeadlineNs);
        }

        return deadlineNs;
    }

    private void TellDevicesChanged()
    {
        foreach (var device in _devices)
        {
            if (device.IsChanged)
            {
                device.TellChanged();
            }
        }
    }

    private void PublishStatus()
    {
        if (_statusDirty && Observers.HasSubscribers)
        {
            Observers.Publish(Core.GetStatus(Loop.NowNs));
        }

        _statusDirty = false;
    }

    private void CloseEverything()
    {
        _timer.DeadlineNs = long.MaxValue;
        Loop.RemoveBatchHandler(this);
        _listener?.Close();
        _listener = null;
        foreach (var device in _devices)
        {
            device.TellGone();
            device.Disks?.Close();
            device.Disks = null;
            device.Record?.Dispose();
            device.Record = null;
        }

        foreach (var stream in _streams.Values)
        {
            if (!stream.IsEnded)
            {
                EndSending(stream, sendFirst: false);
                stream.Close(lingerNs: 0);
            }
        }
    }

    /// <summary>On the loop's thread, which has stopped: something threw that must not.</summary>
    private void OnFault(Exception exception)
    {
        var flight = _recorder.Dump();
        Log.Fault(_logger, Options.Resource.Name, exception.ToString(), flight);
        FailCommands();
        if (Options.Fault is { } fault)
        {
            fault(exception);
        }
        else
        {
            Environment.FailFast("BlockRepl: resource " + Options.Resource.Name + " stopped by a defect", exception);
        }
    }

    private sealed class NoWork : ILoopTask
    {
        public static readonly NoWork Instance = new();

        public void Run()
        {
        }
    }
}
