using BlockRepl.Core;

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
    /// <see cref="StreamSocket.Input"/> has new bytes: TryRead, parse, AdvanceTo. What was left unexamined can be read
    /// later at any time; what was examined comes again with the next bytes.
    /// </summary>
    void OnReceived(StreamSocket stream);

    /// <summary>
    /// The bytes wanted by <see cref="StreamSocket.ReceiveInto"/> are in the buffer. Input may hold more bytes already.
    /// </summary>
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

    /// <summary>
    /// The last event: the descriptor is closed, the kernel owns no buffer any more, every OnSent was delivered. The
    /// buffer of a ReceiveInto that Close cut off is the caller's again only now.
    /// </summary>
    void OnReleased(StreamSocket stream);
}
