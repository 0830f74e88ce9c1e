using System.Runtime.InteropServices;
using BlockRepl.Core;
using BlockRepl.Platform.Buffers;
using BlockRepl.Platform.Loop;
using BlockRepl.Platform.Native;

namespace BlockRepl.Platform.Devices;

/// <summary>Is told that messages may have come; on the loop's thread.</summary>
public interface IMessageHandler
{
    /// <summary>Once after each <see cref="MessageChannel.WaitReadable"/>.</summary>
    void OnReadable();

    /// <summary>The descriptor is closed.</summary>
    void OnChannelClosed();
}

/// <summary>How a read ended.</summary>
public enum MessageRead
{
    /// <summary>A message is there.</summary>
    Message,

    /// <summary>None is there now.</summary>
    Empty,

    /// <summary>None was taken this time; another may be there.</summary>
    Again,

    /// <summary>There will be no more.</summary>
    Ended,
}

/// <summary>
/// A descriptor each read of which gives one whole message and each write of which takes one, such as /dev/fuse. Both
/// never wait. A message's head goes to a place of the caller's and the rest to a pooled buffer, so that a payload
/// behind a head of known size lies aligned.
/// </summary>
public sealed unsafe class MessageChannel : ICompletionHandler
{
    private const int PollIn = 1;

    /// <summary>The head and the buffers of one message.</summary>
    private const int MaxParts = 256;

    private readonly EventLoop _loop;
    private readonly IoBufferPool _pool;
    private readonly IMessageHandler _handler;
    private readonly int _descriptor;
    private readonly NativeIovec* _parts;
    private readonly Lock _keeping = new();
    private ulong _waitOperation;
    private bool _waiting;
    private bool _closing;
    private bool _closed;

    /// <param name="descriptor">Not blocking; the channel's from now on.</param>
    public MessageChannel(EventLoop loop, IoBufferPool pool, int descriptor, IMessageHandler handler)
    {
        _loop = loop;
        _pool = pool;
        _descriptor = descriptor;
        _handler = handler;
        _parts = (NativeIovec*)NativeMemory.Alloc(MaxParts, (nuint)sizeof(NativeIovec));
    }

    /// <summary>Takes a message: its head, and the rest in buffers of the same size, one after the other.</summary>
    /// <param name="byteCount">Its size, with <see cref="MessageRead.Message"/>.</param>
    public MessageRead Read(Span<byte> head, ReadOnlySpan<BufferHandle> buffers, int partBytes, out int byteCount)
    {
        int result;
        fixed (byte* headAddress = head)
        {
            var count = Fill(headAddress, head.Length, buffers, partBytes, buffers.Length * partBytes);
            result = NativeMethods.MessageRead(_descriptor, _parts, count);
        }

        byteCount = Math.Max(result, 0);
        return result switch
        {
            > 0 => MessageRead.Message,
            -NativeError.Again => MessageRead.Empty,

            // A FUSE request that was interrupted while it was being handed over.
            -NativeError.Interrupted or -NativeError.NoEntry => MessageRead.Again,
            _ => MessageRead.Ended,
        };
    }

    /// <summary>
    /// Gives a message: a head, and so many bytes from buffers of the same size. False: it was not taken.
    /// </summary>
    public bool Write(ReadOnlySpan<byte> head, ReadOnlySpan<BufferHandle> buffers, int partBytes, int byteCount)
    {
        fixed (byte* headAddress = head)
        {
            var count = Fill(headAddress, head.Length, buffers, partBytes, byteCount);
            return NativeMethods.MessageWrite(_descriptor, _parts, count) >= 0;
        }
    }

    /// <summary>Asks to be told when a message may be there.</summary>
    public void WaitReadable()
    {
        if (!_waiting && !_closing && !_loop.IsStopping)
        {
            _waiting = true;
            var poll = new NativeOp { Kind = NativeOpKind.Poll, Descriptor = _descriptor, Length = PollIn };
            _waitOperation = _loop.Submit(poll, this, 0);
        }
    }

    /// <summary>
    /// Lets another process keep the descriptor too, if the channel is not closed yet; from any thread.
    /// </summary>
    /// <exception cref="KernelDeviceException">It cannot.</exception>
    public void KeepIn(DescriptorKeeper keeper, string name, TimeSpan? patience)
    {
        lock (_keeping)
        {
            if (!_closed)
            {
                keeper.Put(name, _descriptor, patience);
            }
        }
    }

    /// <summary>Closes the descriptor, then OnChannelClosed; it is neither read nor written from now on.</summary>
    public void Close()
    {
        if (_closing)
        {
            return;
        }

        _closing = true;
        if (_waiting)
        {
            _loop.Cancel(_waitOperation);
        }
        else
        {
            CloseDescriptor();
        }
    }

    void ICompletionHandler.OnCompleted(ulong token, int result)
    {
        _waiting = false;
        if (_closing)
        {
            CloseDescriptor();
        }
        else
        {
            _handler.OnReadable();
        }
    }

    private uint Fill(
        byte* head, int headBytes, ReadOnlySpan<BufferHandle> buffers, int partBytes, int byteCount)
    {
        Invariant.Require(buffers.Length < MaxParts, "a message has no more parts than it may have");
        _parts[0] = new NativeIovec { Address = (ulong)head, Length = (ulong)headBytes };
        var count = 1;
        foreach (var buffer in buffers)
        {
            var bytes = Math.Min(partBytes, byteCount);
            Invariant.Require(bytes <= _pool.GetCapacity(buffer), "a buffer holds its part of a message");
            _parts[count++] = new NativeIovec { Address = (ulong)_pool.GetAddress(buffer), Length = (ulong)bytes };
            byteCount -= bytes;
        }

        return (uint)count;
    }

    private void CloseDescriptor()
    {
        NativeMemory.Free(_parts);
        lock (_keeping)
        {
            _closed = true;
            _ = NativeMethods.Close(_descriptor);
        }

        _handler.OnChannelClosed();
    }
}
