using BlockRepl.Core.Protocol;
using BlockRepl.Iscsi.Net;
using BlockRepl.Iscsi.Protocol;
using BlockRepl.Iscsi.Protocol.Login;
using BlockRepl.Iscsi.Protocol.Scsi;
using BlockRepl.Platform.Digests;

namespace BlockRepl.Iscsi;

// How the connection is made, kept alive, lost and made again.
public sealed partial class IscsiDisk
{
    internal const int TickMs = 1000;
    internal const int KeepaliveMs = 5000;

    private const byte RandomIsid = 0x80;
    private const int ChallengeSize = 32;
    private const int MaxMoves = 3;
    private const int FirstPauseMs = 50;
    private const int LongestPauseMs = 1000;

    private TargetConnection? _connection;
    private IscsiException? _lastFailure;
    private int _pauseMs;
    private long _nextTryMs;

    /// <summary>
    /// Looks after an idle connection: answers the target's pings, pings it when it has long been silent, and ends a
    /// connection that does not answer, so that the next I/O need not find that out.
    /// </summary>
    internal void Tick()
    {
        // During an I/O there is nothing to look after.
        if (!_gate.TryEnter())
        {
            return;
        }

        try
        {
            _connection?.Listen();
            long silentMs = _connection is null ? 0 : _network.NowMs - _connection.LastHeardMs;
            if (silentMs >= 2 * KeepaliveMs)
            {
                throw new IscsiException(IscsiError.ConnectionLost, "the target answers no ping");
            }

            if (silentMs >= KeepaliveMs && !_connection!.IsPinging)
            {
                _connection.Ping();
            }
        }
        catch (IscsiException e)
        {
            Lose(e);
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

    /// <summary>
    /// The connection, made again if need be. Every failure may pass while the target is restarted, also a refused
    /// login: its targets, units and accounts come one after the other.
    /// </summary>
    private TargetConnection Connected(long deadlineMs)
    {
        while (_connection is null)
        {
            long waitMs = Math.Max(_nextTryMs - _network.NowMs, 0);
            if (_lastFailure is not null && _network.NowMs + waitMs >= deadlineMs)
            {
                throw new IscsiException(_lastFailure.Error, _lastFailure.Message, _lastFailure);
            }

            _network.Pause(waitMs);
            try
            {
                Connect(deadlineMs);
            }
            catch (IscsiException e) when (e.Error != IscsiError.CapacityChanged)
            {
                Lose(e);
            }
        }

        return _connection;
    }

    private void Connect(long deadlineMs)
    {
        Portal portal = _address.Portal;
        TargetConnection connection = TargetConnection.Open(_network, portal, NewLogin(), deadlineMs);
        for (int moves = 0; connection.MovedTo is { } elsewhere; moves++)
        {
            connection.Dispose();
            if (moves == MaxMoves)
            {
                throw new IscsiException(
                    IscsiError.LoginRefused, $"the target is said to be elsewhere more than {MaxMoves} times");
            }

            portal = elsewhere;
            connection = TargetConnection.Open(_network, portal, NewLogin(), deadlineMs);
        }

        try
        {
            LookAt(connection, deadlineMs);
        }
        catch (IscsiException)
        {
            connection.Dispose();
            throw;
        }

        _connection = connection;
        if (_lastFailure is not null)
        {
            _notice?.Invoke($"{_address}: connected again");
        }
    }

    private LoginSettings NewLogin()
    {
        // A challenge is never used twice: whoever has heard an answer has heard one that is of no use any more.
        byte[] challenge = new byte[ChallengeSize + 1];
        _network.FillRandom(challenge);
        return new LoginSettings(
            _identity.InitiatorName, _address.TargetName, _isid, _address.EncodedLun, _identity.Chap,
            new ChapChallenge(challenge[0], challenge[1..]), ComputeDigest);
    }

    /// <summary>With the native library: the base library's would bring OpenSSL into the process.</summary>
    internal static byte[] ComputeDigest(ChapAlgorithm algorithm, ReadOnlySpan<byte> text)
    {
        DigestAlgorithm native = algorithm switch
        {
            ChapAlgorithm.Md5 => DigestAlgorithm.Md5,
            ChapAlgorithm.Sha1 => DigestAlgorithm.Sha1,
            _ => DigestAlgorithm.Sha256,
        };
        byte[] digest = new byte[native.Size()];
        Digest.Compute(native, text, digest);
        return digest;
    }

    /// <summary>Finds out whether this is a disk, how large, and how it is written.</summary>
    private void LookAt(TargetConnection connection, long deadlineMs)
    {
        Run(connection, ScsiCommand.TestUnitReady(), deadlineMs);

        ScsiCommand inquiry = ScsiCommand.Inquiry();
        InquiryData unit = InquiryData.Decode(inquiry.DataIn.AsSpan(0, Run(connection, inquiry, deadlineMs)));
        if (unit.Qualifier != 0)
        {
            throw new IscsiException(
                IscsiError.LunNotFound, $"the target has no logical unit {_address.Lun}: check the end of the address");
        }

        if (unit.DeviceType != 0)
        {
            throw new IscsiException(
                IscsiError.NotADisk,
                $"logical unit {_address.Lun} is no disk but a device of type 0x{unit.DeviceType:x2}"
                + (unit.DeviceType == 0x0c ? " (the target's controller): disks often begin with LUN 1" : ""));
        }

        ScsiCommand sense = ScsiCommand.ModeSense6();
        _mode = ModeHeader.Decode(sense.DataIn.AsSpan(0, TryRun(connection, sense, deadlineMs) ?? 0));
        TakeCapacity(AskCapacity(connection, deadlineMs));
    }

    private DiskCapacity AskCapacity(TargetConnection connection, long deadlineMs)
    {
        ScsiCommand longForm = ScsiCommand.ReadCapacity16();
        if (TryRun(connection, longForm, deadlineMs) is { } length)
        {
            return DiskCapacity.Decode16(longForm.DataIn.AsSpan(0, length));
        }

        ScsiCommand shortForm = ScsiCommand.ReadCapacity10();
        int received = Run(connection, shortForm, deadlineMs);
        return DiskCapacity.Decode10(shortForm.DataIn.AsSpan(0, received))
            ?? throw new IscsiException(IscsiError.NotADisk, "the disk is too large for the commands it knows");
    }

    /// <summary>A disk may grow. One that shrinks or changes its sectors is another disk.</summary>
    private void TakeCapacity(in DiskCapacity found)
    {
        if (_capacity.SectorSize != 0
            && (found.SectorSize != _capacity.SectorSize || found.SectorCount < _capacity.SectorCount))
        {
            throw new IscsiException(
                IscsiError.CapacityChanged,
                $"the disk had {_capacity.SectorCount} sectors of {_capacity.SectorSize} bytes and now has "
                + $"{found.SectorCount} of {found.SectorSize}: is this another disk? It is not used until it is "
                + "opened again");
        }

        _capacity = found;
    }

    /// <summary>Ends the connection; each failure in a row makes the pause before the next attempt longer.</summary>
    private void Lose(IscsiException why)
    {
        if (_lastFailure?.Message != why.Message)
        {
            _notice?.Invoke($"{_address}: {why.Message}");
        }

        Close();
        _lastFailure = why;
        _pauseMs = Math.Clamp(2 * _pauseMs, FirstPauseMs, LongestPauseMs);
        _nextTryMs = _network.NowMs + _pauseMs;
    }

    /// <summary>Only a whole I/O shows that all is well again.</summary>
    private void ForgetFailures()
    {
        _lastFailure = null;
        _pauseMs = 0;
    }

    private void Close()
    {
        _connection?.Dispose();
        _connection = null;
    }

    private long DeadlineAfter(TimeSpan timeout) => _network.NowMs + (long)timeout.TotalMilliseconds;

    private static IscsiException Named(IscsiAddress address, IscsiException e) =>
        new(e.Error, $"{address}: {e.Message}", e);
}
