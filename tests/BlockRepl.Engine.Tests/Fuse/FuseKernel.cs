using System.Net.Sockets;
using System.Runtime.InteropServices;
using BlockRepl.Engine.Tests.Nbd;
using BlockRepl.FrontEnd.Fuse;
using BlockRepl.Platform.Devices;
using Microsoft.Extensions.Logging.Abstractions;
using Mono.Unix.Native;

namespace BlockRepl.Engine.Tests.Fuse;

/// <summary>A reply as the kernel would read it.</summary>
internal sealed record FuseAnswer(ulong Unique, int Error, byte[] Payload)
{
    public uint Get32(int offset) => MemoryMarshal.Read<uint>(Payload.AsSpan(offset));

    public ulong Get64(int offset) => MemoryMarshal.Read<ulong>(Payload.AsSpan(offset));
}

/// <summary>
/// Plays the kernel's side of /dev/fuse, over a socket that keeps the bounds of messages, against a session on a volume
/// in memory.
/// </summary>
internal sealed class FuseKernel : IDisposable
{
    private const int TimeoutMilliseconds = 20_000;

    private readonly Socket _socket;
    private readonly byte[] _message = new byte[80 + FuseSession.MaxTransferBytes];
    private readonly byte[] _reply = new byte[16 + FuseSession.MaxTransferBytes];
    private ulong _unique;

    public FuseKernel(MemoryVolume volume)
    {
        Volume = volume;
        const UnixSocketType kind = UnixSocketType.SOCK_SEQPACKET;
        if (Syscall.socketpair(UnixAddressFamily.AF_UNIX, kind, 0, out var ours, out var theirs) != 0)
        {
            throw new IOException("no socket pair");
        }

        _ = Syscall.fcntl(theirs, FcntlCommand.F_SETFL, (int)OpenFlags.O_NONBLOCK);
        _socket = new Socket(new SafeSocketHandle(ours, ownsHandle: true))
        {
            ReceiveTimeout = TimeoutMilliseconds,
            SendTimeout = TimeoutMilliseconds,
            SendBufferSize = 1 << 20,
        };
        Session = new FuseSession(volume, NullLogger.Instance);
        Assert.True(volume.OnLoop(() =>
        {
            var opened = Session.TryOpen(out _, out _);
            Session.Begin(new MessageChannel(volume.Loop, volume.Buffers, theirs, Session));
            return opened;
        }));
    }

    public MemoryVolume Volume { get; }

    public FuseSession Session { get; }

    public static byte[] Ranged(ulong offset, ulong length, uint mode = 0)
    {
        // READ and WRITE have a size of 32 bits and flags behind it, FALLOCATE one of 64: the low half is the same.
        var body = new byte[40];
        MemoryMarshal.Write(body.AsSpan(8), offset);
        MemoryMarshal.Write(body.AsSpan(16), length);
        MemoryMarshal.Write(body.AsSpan(24), mode);
        return body;
    }

    public static byte[] Allocation(ulong offset, ulong length, uint mode) => Ranged(offset, length, mode)[..32];

    public static byte[] Version(uint major, uint minor, uint capabilities)
    {
        var body = new byte[64];
        MemoryMarshal.Write(body, major);
        MemoryMarshal.Write(body.AsSpan(4), minor);
        MemoryMarshal.Write(body.AsSpan(12), capabilities);
        return body;
    }

    /// <summary>Sends a request and gives its unique number.</summary>
    public ulong Send(FuseOpcode opcode, ReadOnlySpan<byte> body, ReadOnlySpan<byte> payload = default, ulong node = 1)
    {
        var length = 40 + body.Length + payload.Length;
        var message = _message.AsSpan(0, length);
        message[..40].Clear();
        MemoryMarshal.Write(message, (uint)length);
        MemoryMarshal.Write(message[4..], (uint)opcode);
        MemoryMarshal.Write(message[8..], ++_unique);
        MemoryMarshal.Write(message[16..], node);
        body.CopyTo(message[40..]);
        payload.CopyTo(message[(40 + body.Length)..]);
        SendRaw(message);
        return _unique;
    }

    public void SendRaw(ReadOnlySpan<byte> message) => Assert.Equal(message.Length, _socket.Send(message));

    /// <summary>The next reply; its length and its head's length agree.</summary>
    public FuseAnswer Receive()
    {
        var bytes = _socket.Receive(_reply);
        Assert.InRange(bytes, 16, _reply.Length);
        Assert.Equal((uint)bytes, MemoryMarshal.Read<uint>(_reply));
        return new FuseAnswer(
            MemoryMarshal.Read<ulong>(_reply.AsSpan(8)), -MemoryMarshal.Read<int>(_reply.AsSpan(4)), _reply[16..bytes]);
    }

    /// <summary>Receives without making anything of it; false at the end of the session.</summary>
    public bool Skip() => _socket.Receive(_reply) > 0;

    public FuseAnswer Ask(FuseOpcode opcode, ReadOnlySpan<byte> body, ReadOnlySpan<byte> payload = default)
    {
        var unique = Send(opcode, body, payload);
        var answer = Receive();
        Assert.Equal(unique, answer.Unique);
        return answer;
    }

    public FuseAnswer Write(ulong offset, ReadOnlySpan<byte> data) =>
        Ask(FuseOpcode.Write, Ranged(offset, (ulong)data.Length), data);

    public FuseAnswer Read(ulong offset, int bytes) => Ask(FuseOpcode.Read, Ranged(offset, (ulong)bytes));

    /// <summary>Ends the session as the node does, and looks that it left nothing.</summary>
    public void Stop()
    {
        Volume.Loop.Post(Session.Stop);
        AssertEnded();
    }

    public void WaitEnded() => Assert.True(Session.Ended.Wait(TimeoutMilliseconds), "the session does not end");

    public void AssertEnded()
    {
        WaitEnded();
        Assert.Equal(0, Volume.OnLoop(() => Volume.OpenCount));
        Assert.Equal(0, Volume.OnLoop(() => Volume.Buffers.RentedCount));
    }

    public void Dispose()
    {
        _socket.Dispose();
        Session.Dispose();
    }
}
