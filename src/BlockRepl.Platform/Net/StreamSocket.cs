using System.IO.Pipelines;
using System.Net;
using BlockRepl.Core;
using BlockRepl.Platform.Buffers;
using BlockRepl.Platform.Loop;

namespace BlockRepl.Platform.Net;

/// <summary>Sizes and times of a stream.</summary>
public sealed record StreamSocketOptions
{
    /// <summary>SO_SNDBUF and SO_RCVBUF in bytes; 0 leaves them to the kernel's tuning.</summary>
    public int SendBufferBytes { get; init; }

    public int ReceiveBufferBytes { get; init; }

    /// <summary>Receiving stops when so much lies unread in the input pipe.</summary>
    public int PauseInputBytes { get; init; } = 64 << 10;

    /// <summary>Receiving goes on when less than this is left.</summary>
    public int ResumeInputBytes { get; init; } = 32 << 10;

    /// <summary>Largest sum of small packets (not payloads) that may wait to be sent.</summary>
    public int MaxQueuedPacketBytes { get; init; } = 8 << 20;

    public bool NoDelay { get; init; } = true;
}

/// <summary>Receives a stream's events on the loop's thread; never called from inside a call to the stream.</summary>
public interface IStreamHandler
{
    /// <summary>A connect succeeded; receiving has begun.</summary>
    void OnConnected(StreamSocket stream);

    /// <summary>
    /// <see cref="StreamSocket.Input"/> has new bytes: TryRead, parse, AdvanceTo. What was left unexamined can be read later
    /// at any time; what was examined comes again with the next bytes.
    /// </summary>
    void OnReceived(StreamSocket stream);

    /// <summary>The bytes wanted by <see cref="StreamSocket.ReceiveInto"/> are in the buffer. Input may hold more bytes already.</summary>
    void OnPayloadReceived(StreamSocket stream, ulong token);

    /// <summary>
    /// A payload was handed to the kernel whole, or (<paramref name="aborted"/>) never will be; its buffer is free.
    /// In the order queued, exactly once for each, also after a Close.
    /// </summary>
    void OnSent(StreamSocket stream, ulong token, bool aborted);

    /// <summary>
    /// The stream ended by itself (not by Close). What arrived before was delivered. A pending ReceiveInto is over: its
    /// buffer is the caller's again. <paramref name="errno"/> is 0 or positive.
    /// </summary>
    void OnClosed(StreamSocket stream, StreamCloseReason reason, int errno);

    /// <summary>The last event: the descriptor is closed, the kernel owns no buffer any more, every OnSent was delivered.</summary>
    void OnReleased(StreamSocket stream);
}

/// <summary>
/// A connected TCP or Unix stream on a loop. Received bytes go to a pipe (headers, small packets) or, on request, straight
/// into an aligned buffer (payloads). Small packets are copied into send blocks, payloads are sent from their buffers;
/// one send is in flight at a time and takes as much as is queued. Belongs to the loop's thread.
/// </summary>
public sealed class StreamSocket
{
    /// <summary>Starts to connect; OnConnected or OnClosed(ConnectFailed) follows.</summary>
    /// <param name="remote">An <see cref="IPEndPoint"/> or a <see cref="System.Net.Sockets.UnixDomainSocketEndPoint"/>.</param>
    /// <param name="local">Source address to bind to (port 0 = any), or null.</param>
    public static StreamSocket Connect(
        EventLoop loop,
        IoBufferPool pool,
        EndPoint remote,
        EndPoint? local,
        long timeoutNs,
        StreamSocketOptions options,
        IStreamHandler handler) => throw new NotImplementedException();

    /// <summary>Takes over a connected descriptor; receiving begins.</summary>
    public static StreamSocket Adopt(
        EventLoop loop,
        IoBufferPool pool,
        int descriptor,
        StreamSocketOptions options,
        IStreamHandler handler) => throw new NotImplementedException();

    /// <summary>For the owner: anything that finds its own record for this stream.</summary>
    public object? Tag { get; set; }

    /// <summary>Received bytes that did not go to a payload buffer. Use TryRead and AdvanceTo only.</summary>
    public PipeReader Input => throw new NotImplementedException();

    /// <summary>Whether the stream is closed, by whichever side.</summary>
    public bool IsClosed => throw new NotImplementedException();

    /// <summary>The peer's address, or null.</summary>
    public EndPoint? RemoteEndPoint => throw new NotImplementedException();

    /// <summary>The own address, or null.</summary>
    public EndPoint? LocalEndPoint => throw new NotImplementedException();

    /// <summary>Bytes queued and not yet handed to the kernel, packets and payloads.</summary>
    public long QueuedBytes => throw new NotImplementedException();

    /// <summary>Bytes handed to the kernel so far.</summary>
    public long SentBytes => throw new NotImplementedException();

    /// <summary>
    /// Receives the next <paramref name="byteCount"/> bytes into the buffer (from its begin plus
    /// <paramref name="bufferOffset"/>): first what the pipe holds, the rest straight from the socket. Call it with nothing
    /// of Input in use (after AdvanceTo). Answered by OnPayloadReceived, or it ends with OnClosed. One at a time.
    /// </summary>
    public void ReceiveInto(BufferHandle buffer, int bufferOffset, int byteCount, ulong token) =>
        throw new NotImplementedException();

    /// <summary>Receives and throws away the next bytes; answered like <see cref="ReceiveInto"/>.</summary>
    public void Drain(int byteCount, ulong token) => throw new NotImplementedException();

    /// <summary>Queues a packet, copied before the call returns; sent at the end of the turn. False: the queue is full or the stream closed.</summary>
    public bool Send(ReadOnlySpan<byte> packet) => throw new NotImplementedException();

    /// <summary>
    /// Queues a packet with a payload: head, a gap of <paramref name="digestBytes"/>, the payload. The gap's address is given
    /// back; it is to be filled before the end of the batch. False as for <see cref="Send"/>; then no OnSent follows.
    /// </summary>
    public bool SendPayload(
        ReadOnlySpan<byte> head,
        int digestBytes,
        BufferHandle buffer,
        int byteCount,
        ulong token,
        out nint digestAddress) => throw new NotImplementedException();

    /// <summary>
    /// Closes: with <paramref name="lingerNs"/> &gt; 0 what is queued is still sent for so long, else it is dropped.
    /// Afterwards only OnSent and OnReleased come.
    /// </summary>
    public void Close(long lingerNs) => throw new NotImplementedException();
}
