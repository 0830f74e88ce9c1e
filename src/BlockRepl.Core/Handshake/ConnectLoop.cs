using BlockRepl.Core.Options;
using BlockRepl.Core.Protocol;

namespace BlockRepl.Core.Handshake;

/// <summary>What the connect loop asks of its surroundings; as <see cref="ICoreHost"/>, no call answers from inside.</summary>
public interface IConnectHost
{
    /// <summary>Starts a TCP connect; answered by OnOpened or OnClosed.</summary>
    StreamId OpenStream();

    /// <summary>Whether streams are accepted.</summary>
    void Listen(bool on);

    void CloseStream(StreamId stream);

    /// <summary>Sends P_INITIAL_DATA or P_INITIAL_META.</summary>
    void SendInitial(StreamId stream, bool data);

    ulong NextRandom();
}

/// <summary>
/// Gets the two streams of a connection, whatever the peer does at the same time: both nodes connect and listen, crossings
/// are resolved by chance. Between <see cref="Start"/> and <see cref="Done"/> the connection state is WFConnection.
/// </summary>
public sealed class ConnectLoop
{
    public ConnectLoop(NetOptions net) => throw new NotImplementedException();

    public void Start(long nowNs, IConnectHost host) => throw new NotImplementedException();

    /// <summary>Closes everything.</summary>
    public void Stop(IConnectHost host) => throw new NotImplementedException();

    public void OnOpened(long nowNs, StreamId stream) => throw new NotImplementedException();

    public void OnClosed(long nowNs, StreamId stream) => throw new NotImplementedException();

    public void OnAccepted(long nowNs, StreamId stream) => throw new NotImplementedException();

    public void OnFirstPacket(long nowNs, StreamId stream, Command command) => throw new NotImplementedException();

    public void OnTimer(long nowNs) => throw new NotImplementedException();

    /// <summary>When OnTimer is wanted; long.MaxValue = never.</summary>
    public long NextDeadlineNs => throw new NotImplementedException();

    /// <summary>Only an accepted stream that has not yet said what it is may deliver a packet.</summary>
    public bool WantsPacket(StreamId stream) => throw new NotImplementedException();

    /// <summary>Whether a stream belongs to the loop.</summary>
    public bool Owns(StreamId stream) => throw new NotImplementedException();

    /// <summary>Both streams are there and quiet; listening has ended.</summary>
    public bool Done => throw new NotImplementedException();

    public StreamId DataStream => throw new NotImplementedException();

    public StreamId MetaStream => throw new NotImplementedException();

    /// <summary>Set on the node that accepted the meta stream.</summary>
    public bool ResolveConflicts => throw new NotImplementedException();
}
