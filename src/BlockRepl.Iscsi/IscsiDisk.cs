using BlockRepl.Iscsi.Net;
using BlockRepl.Iscsi.Protocol;
using BlockRepl.Iscsi.Protocol.Login;
using BlockRepl.Iscsi.Protocol.Scsi;
using BlockRepl.Iscsi.Settings;

namespace BlockRepl.Iscsi;

/// <summary>What <see cref="IscsiDisk.Open"/> need not be told.</summary>
public sealed record IscsiDiskOptions
{
    /// <summary>Below it open-iscsi's files are looked for.</summary>
    public string Root { get; init; } = "/";

    /// <summary>Hears of lost and regained connections, for a log. Called with the disk's lock held.</summary>
    public Action<string>? Notice { get; init; }
}

/// <summary>
/// A disk behind an iSCSI target: one session, one connection, one I/O at a time. Every call returns or throws at its
/// timeout. A lost connection is made again within the I/O that finds it lost; the I/O is then repeated. A write has
/// reached the medium when it returns.
/// </summary>
public sealed partial class IscsiDisk : IDisposable
{
    /// <summary>Longest read or write.</summary>
    public const int MaxTransferBytes = OperationalParameters.MaxTransfer;

    private const int LogoutMs = 1000;
    private const int MaxAttentions = 16;
    private const int FirstBusyPauseMs = 10;
    private const int LongestBusyPauseMs = 320;

    private readonly Lock _gate = new();
    private readonly INetwork _network;
    private readonly IscsiAddress _address;
    private readonly Identity _identity;
    private readonly Action<string>? _notice;
    private readonly byte[] _isid = new byte[6];
    private Timer? _keepalive;
    private DiskCapacity _capacity;
    private ModeHeader _mode;
    private bool _hasNoCache;
    private volatile bool _isDisposed;

    internal IscsiDisk(INetwork network, IscsiAddress address, Identity identity, Action<string>? notice)
    {
        _network = network;
        _address = address;
        _identity = identity;
        _notice = notice;

        // The same for all logins of this disk, so that the target ends the session before, with all that still waits
        // in it; and no one else's.
        network.FillRandom(_isid);
        _isid[0] = RandomIsid;
    }

    /// <summary>512 or 4096.</summary>
    public int SectorSize => _capacity.SectorSize;

    public long SectorCount => (long)_capacity.SectorCount;

    /// <summary>Connects, logs in and looks at the disk, once.</summary>
    /// <exception cref="IscsiException">It could not be done in time, or never can; the message says what to
    /// do.</exception>
    public static IscsiDisk Open(IscsiAddress address, TimeSpan timeout, IscsiDiskOptions? options = null)
    {
        options ??= new IscsiDiskOptions();
        try
        {
            Identity identity = Identity.Find(
                address, new OpenIscsiFiles(options.Root), Environment.GetEnvironmentVariable);
            var disk = new IscsiDisk(new TcpNetwork(), address, identity, options.Notice);
            disk.Open(timeout);
            disk._keepalive = new Timer(_ => disk.Tick(), null, TickMs, TickMs);
            return disk;
        }
        catch (IscsiException e)
        {
            throw Named(address, e);
        }
    }

    /// <summary>Reads whole sectors.</summary>
    /// <exception cref="IscsiException">Not done until the timeout, or refused.</exception>
    public void Read(long sector, Span<byte> buffer, TimeSpan timeout)
    {
        int sectors = CheckRange(sector, buffer.Length);
        byte[] data = [];
        int length = buffer.Length;
        Perform(timeout, (connection, deadlineMs) =>
        {
            ScsiCommand command = ScsiCommand.Read((ulong)sector, sectors, length);
            if (Run(connection, command, deadlineMs, lookAgain: true) != length)
            {
                throw IscsiException.Violation($"{command.Name} gave fewer bytes than it should");
            }

            data = command.DataIn;
        });
        data.CopyTo(buffer);
    }

    /// <summary>Writes whole sectors, through the target's cache.</summary>
    /// <exception cref="IscsiException">Not known to be done until the timeout, or refused.</exception>
    public void Write(long sector, ReadOnlySpan<byte> data, TimeSpan timeout)
    {
        int sectors = CheckRange(sector, data.Length);
        byte[] copy = data.ToArray();
        Perform(timeout, (connection, deadlineMs) =>
        {
            if (_mode.IsWriteProtected)
            {
                throw new IscsiException(
                    IscsiError.WriteProtected,
                    "the disk is write protected: make the logical unit writable on the target");
            }

            Run(connection, ScsiCommand.Write((ulong)sector, sectors, copy, _mode.HasFua), deadlineMs, lookAgain: true);
            if (!_mode.HasFua && !_hasNoCache)
            {
                // Who has no cache need not know the command.
                _hasNoCache = TryRun(connection, ScsiCommand.SynchronizeCache10(), deadlineMs) is null;
            }
        });
    }

    /// <summary>Logs out, if that takes no longer than a second, and closes the connection.</summary>
    public void Dispose()
    {
        _keepalive?.Dispose();
        _isDisposed = true;
        if (!_gate.TryEnter(LogoutMs))
        {
            // Whoever is inside ends at its own deadline and closes the connection then.
            return;
        }

        try
        {
            _connection?.Logout(_network.NowMs + LogoutMs);
        }
        catch (IscsiException)
        {
            // The target will find out by itself.
        }
        finally
        {
            Close();
            _gate.Exit();
        }
    }

    internal void Open(TimeSpan timeout)
    {
        lock (_gate)
        {
            Connect(DeadlineAfter(timeout));
        }
    }

    private int CheckRange(long sector, int bytes)
    {
        if (bytes == 0 || bytes % SectorSize != 0 || bytes > MaxTransferBytes)
        {
            throw new ArgumentException(
                $"{bytes} bytes are not 1 to {MaxTransferBytes / SectorSize} whole sectors of {SectorSize} bytes");
        }

        int sectors = bytes / SectorSize;
        return sector >= 0 && sector <= SectorCount - sectors
            ? sectors
            : throw Named(_address, new IscsiException(
                IscsiError.OutOfRange, $"{sectors} sectors at {sector}, and the disk has {SectorCount}"));
    }

    /// <summary>Does an I/O on a connection, and again on the next one if that is lost, until the timeout.</summary>
    private void Perform(TimeSpan timeout, Action<TargetConnection, long> inputOutput)
    {
        long deadlineMs = DeadlineAfter(timeout);
        if (!_gate.TryEnter(timeout))
        {
            throw Named(_address, new IscsiException(IscsiError.TimedOut, "another I/O took all the time"));
        }

        try
        {
            ObjectDisposedException.ThrowIf(_isDisposed, this);
            while (!TryPerform(inputOutput, deadlineMs))
            {
            }
        }
        catch (IscsiException e)
        {
            throw Named(_address, e);
        }
        finally
        {
            if (_isDisposed)
            {
                Close();
            }

            _gate.Exit();
        }
    }

    private bool TryPerform(Action<TargetConnection, long> inputOutput, long deadlineMs)
    {
        TargetConnection connection = Connected(deadlineMs);
        try
        {
            inputOutput(connection, deadlineMs);
            ForgetFailures();
            return true;
        }
        catch (IscsiException e) when (e.Error is IscsiError.ConnectionLost or IscsiError.ProtocolViolation)
        {
            Lose(e);
            return false;
        }
        catch (IscsiException e) when (e.Error is IscsiError.TimedOut or IscsiError.CapacityChanged)
        {
            // What was sent may still be carried out, until the next login ends this session.
            Lose(e);
            throw;
        }
    }

    /// <returns>How many bytes were read.</returns>
    private int Run(TargetConnection connection, ScsiCommand command, long deadlineMs, bool lookAgain = false) =>
        TryRun(connection, command, deadlineMs, lookAgain)
        ?? throw new IscsiException(IscsiError.DeviceError, $"the target does not know the command {command.Name}");

    /// <summary>Runs a command to its end; repeats it as the target's answers ask for.</summary>
    /// <param name="lookAgain">After a unit attention look at the disk before anything else.</param>
    /// <returns>How many bytes were read; null if the target does not know the command.</returns>
    private int? TryRun(TargetConnection connection, ScsiCommand command, long deadlineMs, bool lookAgain = false)
    {
        long pauseMs = FirstBusyPauseMs;
        int attentions = 0;
        while (true)
        {
            ScsiResult result = connection.Run(command, deadlineMs);
            ScsiVerdict verdict = ScsiVerdict.Of(command, result);
            switch (verdict.Advice)
            {
                case ScsiAdvice.Done:
                    return result.Received;
                case ScsiAdvice.Unsupported:
                    return null;
                case ScsiAdvice.LookAgain when ++attentions < MaxAttentions:
                    if (lookAgain)
                    {
                        LookAt(connection, deadlineMs);
                    }

                    break;
                case ScsiAdvice.RetryLater when _network.NowMs + pauseMs < deadlineMs:
                    _network.Pause(pauseMs);
                    pauseMs = Math.Min(2 * pauseMs, LongestBusyPauseMs);
                    break;
                default:
                    throw new IscsiException(verdict.Error, verdict.Words);
            }
        }
    }
}
