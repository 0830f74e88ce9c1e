using BlockRepl.Iscsi.Protocol.Login;

namespace BlockRepl.Iscsi.Net;

/// <summary>All that a disk needs of the world: connections, time and chance. Tests put a script there.</summary>
internal interface INetwork
{
    /// <summary>Monotonic; deadlines are times of this clock.</summary>
    long NowMs { get; }

    /// <summary>Lets time pass.</summary>
    void Pause(long milliseconds);

    void FillRandom(Span<byte> bytes);

    /// <exception cref="Protocol.IscsiException">No connection until the deadline.</exception>
    ITargetStream Connect(Portal portal, long deadlineMs);
}

/// <summary>A TCP connection. No call lasts longer than its deadline.</summary>
internal interface ITargetStream : IDisposable
{
    /// <exception cref="Protocol.IscsiException">The connection is gone, or not all could be sent in time.</exception>
    void Send(ReadOnlySpan<byte> bytes, long deadlineMs);

    /// <summary>At least one byte, 0 at the end of the stream, null if nothing came until the deadline.</summary>
    /// <exception cref="Protocol.IscsiException">The connection is gone.</exception>
    int? Receive(Span<byte> buffer, long deadlineMs);
}
