using BlockRepl.Core;
using BlockRepl.Platform.Devices;
using Microsoft.Extensions.Logging;

namespace BlockRepl.FrontEnd.Fuse;

/// <summary>
/// The file that a volume is to the kernel, on the loop of the volume's resource. Messages are taken while the kernel
/// has some, a write's payload lands in pooled buffers, replies are given as requests complete. Nothing is allocated
/// per request: all state of a request is a slot of a fixed table.
/// </summary>
/// <remarks>
/// A message is read into a landing area of buffers that take the longest write, each as large as the volume takes in
/// one part (usually there is just one). Long requests keep the area and the next message gets a new one; short ones
/// get a buffer of their size, and payloads are copied. Between messages no buffer is held.
/// </remarks>
internal sealed partial class FuseSession : IMessageHandler, IVolumeClient, IDisposable
{
    /// <summary>Requests carried out at one time.</summary>
    public const int MaxRequests = 128;

    /// <summary>
    /// The longest read or write. More saves little, and a message has to find the room for it. Less than what an
    /// earlier version told the kernel would not do for a device that is taken over from it.
    /// </summary>
    public const int MaxTransferBytes = 512 << 10;

    /// <summary>Bytes of buffers held at most, so that several share the front ends' part of the pool.</summary>
    public const int MaxBytes = 8 << 20;

    /// <summary>Smaller parts than this no DRBD asks for.</summary>
    private const int SmallestPartBytes = 4 << 10;
    private const int MaxParts = MaxTransferBytes / SmallestPartBytes;

    /// <summary>Up to here copying a payload costs less than keeping the landing area for it.</summary>
    private const int CopyBytes = 64 << 10;

    /// <summary>Then others on the loop have their turn.</summary>
    private const int MessagesPerTurn = 64;

    private readonly IVolumeDevice _device;
    private readonly ILogger _logger;
    private readonly FuseSlotTable _slots = new(MaxRequests, MaxParts);
    private readonly BufferHandle[] _landing = new BufferHandle[MaxParts];
    private readonly TaskCompletionSource _ended = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private MessageChannel? _channel;
    private VolumeFacts _facts;

    /// <summary>Buffers of the landing area, 0 if it is not there; bytes of each.</summary>
    private int _landingParts;
    private int _landingPartBytes;

    private long _bytesHeld;

    /// <summary>Messages may be there, but slots or buffers are missing.</summary>
    private bool _starved;
    private bool _stopped;
    private volatile bool _canResend;
    private bool _closing;
    private bool _deviceOpen;

    /// <summary>
    /// The volume is no more: requests under way are never completed, and nothing is given back to it.
    /// </summary>
    private bool _gone;

    public FuseSession(IVolumeDevice device, ILogger logger)
    {
        _device = device;
        _logger = logger;
    }

    /// <summary>The kernel can give requests again; known once the file was opened. From any thread.</summary>
    public bool CanResend => _canResend;

    /// <summary>The session is over and the volume closed.</summary>
    public Task Ended => _ended.Task;

    /// <summary>Opens the volume; on the loop's thread.</summary>
    public bool TryOpen(out VolumeFacts facts, out string refusal)
    {
        _deviceOpen = _device.TryOpen(this, out facts, out refusal);
        _facts = facts;
        return _deviceOpen;
    }

    /// <summary>Serves the channel from now on; on the loop's thread.</summary>
    /// <param name="again">
    /// A predecessor served the mount: what it took and did not answer comes again.
    /// </param>
    public void Begin(MessageChannel channel, bool again = false)
    {
        _channel = channel;
        if (again)
        {
            _canResend = true;
            Span<byte> room = stackalloc byte[FuseProtocol.ReplyHeadBytes];
            Send(FuseReply.Resend(room));
        }

        channel.WaitReadable();
    }

    /// <summary>Ends the session as soon as what runs was answered; on the loop's thread.</summary>
    public void Stop()
    {
        _stopped = true;
        MaybeFinish();
    }

    public void OnReadable() => Pump();

    public void OnBuffersAvailable() => PumpIfStarved();

    public void OnVolumeChanged(in VolumeFacts facts) => _facts = facts;

    public void OnVolumeGone()
    {
        _gone = true;
        Stop();
    }

    public void OnChannelClosed()
    {
        if (_deviceOpen && !_gone)
        {
            Invariant.Require(_bytesHeld == 0, "a session ends while it holds buffers");
            _device.Close(this);
        }

        _deviceOpen = false;
        Dispose();
        _ended.TrySetResult();
    }

    /// <summary>Frees the memory of the requests' heads; the end of the session does it.</summary>
    public void Dispose() => _slots.Dispose();

    private void PumpIfStarved()
    {
        if (_starved)
        {
            Pump();
        }
    }

    /// <summary>Takes messages until there is none, or slots or buffers are missing.</summary>
    private void Pump()
    {
        _starved = false;
        for (var i = 0; i < MessagesPerTurn; i++)
        {
            if (_stopped)
            {
                break;
            }

            if (_slots.IsFull || !PrepareLanding())
            {
                _starved = true;
                break;
            }

            var read = _channel!.Read(
                _slots.NextHead(), _landing.AsSpan(0, _landingParts), _landingPartBytes, out var byteCount);
            if (read == MessageRead.Message)
            {
                Accept(byteCount);
            }
            else if (read == MessageRead.Empty)
            {
                break;
            }
            else if (read == MessageRead.Ended)
            {
                Log.FuseEnded(_logger, _device.Name);
                _stopped = true;
            }
        }

        ReturnLanding();
        if (_stopped)
        {
            MaybeFinish();
        }
        else if (!_starved)
        {
            _channel!.WaitReadable();
        }
    }

    private void Accept(int byteCount)
    {
        if (!FuseRequest.TryParse(_slots.NextHead(), byteCount, out var request))
        {
            _slots.ForgetNext();
            Log.FuseBroken(_logger, _device.Name, byteCount);
            _stopped = true;
            return;
        }

        var error = request.Error != FuseError.None ? request.Error : Start(request, byteCount);
        if (error != FuseError.None)
        {
            _slots.ForgetNext();
            if (request.WantsReply)
            {
                Reply(request.Unique, error);
            }
        }
    }

    /// <summary>Carries the request out, or begins to; not None: it was refused.</summary>
    private FuseError Start(in FuseRequest request, int byteCount)
    {
        switch (request.Opcode)
        {
            case FuseOpcode.Read or FuseOpcode.Write:
                var error = request.ValidateRange(_facts, MaxTransferBytes);
                if (error == FuseError.None)
                {
                    StartTransfer(request);
                }

                return error;
            case FuseOpcode.Fsync:
                SubmitPart(_slots.Take(request), RequestKind.Flush, 0, 0, BufferHandle.None);
                return FuseError.None;
            case FuseOpcode.Allocate:
                return StartZero(request);
            default:
                return AnswerAtOnce(request, byteCount);
        }
    }

    private FuseError StartZero(in FuseRequest request)
    {
        // Once refused the kernel does not ask again, and whoever wants zeroes writes them.
        if (!_facts.CanZeroFast || !request.TryGetZeroKind(out _))
        {
            return FuseError.NotSupported;
        }

        var error = request.ValidateRange(_facts, long.MaxValue);
        if (error == FuseError.None)
        {
            SubmitZeroPart(_slots.Take(request));
        }

        return error;
    }

    private FuseError AnswerAtOnce(in FuseRequest request, int byteCount)
    {
        Span<byte> room = stackalloc byte[FuseProtocol.LongestReplyHeadBytes];
        switch (request.Opcode)
        {
            case FuseOpcode.Init:
                var init = FuseInit.Parse(_slots.NextHead(), byteCount);
                if (!init.IsUsable)
                {
                    Log.FuseTooOld(_logger, _device.Name, init.Major, init.Minor);
                    return FuseError.Protocol;
                }

                _canResend = init.CanResend;
                Send(FuseReply.Init(room, request.Unique, init, MaxTransferBytes, MaxRequests));
                break;
            case FuseOpcode.GetAttributes:
                Send(FuseReply.Attributes(room, request.Unique, _facts));
                break;
            case FuseOpcode.Open:
                Send(FuseReply.Open(room, request.Unique));
                break;
            case FuseOpcode.StatFs:
                Send(FuseReply.StatFs(room, request.Unique, _facts));
                break;
            case FuseOpcode.Release or FuseOpcode.Flush or FuseOpcode.Destroy:
                Reply(request.Unique, FuseError.None);
                break;
            default:
                return FuseError.NoSystemCall;
        }

        _slots.ForgetNext();
        return FuseError.None;
    }

    private void MaybeFinish()
    {
        if (!_stopped || _closing || (_slots.InUse > 0 && !_gone))
        {
            return;
        }

        _closing = true;
        if (_channel is null)
        {
            OnChannelClosed();
        }
        else
        {
            _channel.Close();
        }
    }
}
