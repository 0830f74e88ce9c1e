namespace BlockRepl.Core.Handshake;

/// <summary>
/// What the connect loop asks of its surroundings; as <see cref="ICoreHost"/>, no call answers from inside.
/// </summary>
public interface IConnectHost
{
    /// <summary>Starts a TCP connect; answered by OnOpened or OnClosed.</summary>
    StreamId OpenStream();

    /// <summary>Whether streams are accepted.</summary>
    void Listen(bool on);

    /// <summary>Closes a stream at once; no event names it afterwards.</summary>
    void CloseStream(StreamId stream);

    /// <summary>Sends P_INITIAL_DATA or P_INITIAL_META.</summary>
    void SendInitial(StreamId stream, bool data);

    /// <summary>64 random bits, for waits that must differ between the nodes.</summary>
    ulong NextRandom();
}
