using System.Buffers;
using System.Net;
using BlockRepl.Core;
using BlockRepl.Platform.Net;
using Xunit;

namespace BlockRepl.Platform.Tests;

/// <summary>Two connected streams on one loop, with the listener that made them.</summary>
internal sealed class StreamPair : IListenerHandler, IDisposable
{
    private readonly LoopFixture _test;
    private readonly ManualResetEventSlim _accepted = new();

    public StreamPair(LoopFixture test, EndPoint address, EndPoint? local = null)
    {
        _test = test;
        Client = new StreamLog(test);
        Server = new StreamLog(test);
        StreamListener? listener = null;
        test.Run(() =>
        {
            listener = StreamListener.Listen(test.Loop, address, new StreamSocketOptions(), this);
            Client.Stream = StreamSocket.Connect(
                test.Loop, test.Pool, listener.LocalEndPoint, local, 5_000_000_000, new StreamSocketOptions(), Client);
        });
        Listener = listener!;
        test.Wait(_accepted);
        test.Wait(Client.Connected);
    }

    public StreamListener Listener { get; }

    public StreamLog Client { get; }

    public StreamLog Server { get; }

    public void OnAccepted(StreamListener listener, int descriptor, EndPoint? remote)
    {
        Server.Stream = StreamSocket.Adopt(_test.Loop, _test.Pool, descriptor, new StreamSocketOptions(), Server);
        _accepted.Set();
    }

    public void Dispose()
    {
        _test.Run(() =>
        {
            Listener.Close();
            Client.Stream.Close(0);
            Server.Stream.Close(0);
        });
        _test.Wait(Client.Released);
        _test.Wait(Server.Released);
        Client.Dispose();
        Server.Dispose();
        _test.Run(() => Assert.Equal(0, _test.Loop.Blocks.InUse));
    }
}

/// <summary>Remembers what a stream told, and reads what it receives.</summary>
internal sealed class StreamLog(LoopFixture test) : IStreamHandler, IDisposable
{
    private readonly ManualResetEventSlim _reached = new();
    private int _wantedBytes = int.MaxValue;

    public StreamSocket Stream { get; set; } = null!;

    public List<byte> Bytes { get; } = [];

    public ManualResetEventSlim Connected { get; } = new();

    public ManualResetEventSlim Heard { get; } = new();

    public ManualResetEventSlim PayloadReceived { get; } = new();

    public ManualResetEventSlim Closed { get; } = new();

    public ManualResetEventSlim Released { get; } = new();

    public StreamCloseReason? Reason { get; private set; }

    /// <summary>Received bytes stay in the pipe.</summary>
    public bool Hold { get; set; }

    public Action<ulong, bool>? Sent { get; set; }

    public Action? WhenClosed { get; set; }

    public int SentTokens { get; private set; }

    public StreamSocketTests.LengthParser? Parser { get; set; }

    public void WaitForBytes(int count)
    {
        test.Run(() =>
        {
            _wantedBytes = count;
            Check();
        });
        test.Wait(_reached);
    }

    public void Dispose() => _reached.Dispose();

    public void OnConnected(StreamSocket stream) => Connected.Set();

    public void OnReceived(StreamSocket stream)
    {
        Heard.Set();
        if (Parser is not null)
        {
            Parser.Parse(stream);
            return;
        }

        if (!Hold && stream.Input.TryRead(out var read))
        {
            Bytes.AddRange(read.Buffer.ToArray());
            stream.Input.AdvanceTo(read.Buffer.End);
            Check();
        }
    }

    public void OnPayloadReceived(StreamSocket stream, ulong token)
    {
        PayloadReceived.Set();
        Parser?.Payload(stream, token);
    }

    public void OnSent(StreamSocket stream, ulong token, bool aborted)
    {
        SentTokens++;
        Sent?.Invoke(token, aborted);
    }

    public void OnClosed(StreamSocket stream, StreamCloseReason reason, int errno)
    {
        Reason = reason;
        WhenClosed?.Invoke();
        Closed.Set();
    }

    public void OnReleased(StreamSocket stream) => Released.Set();

    private void Check()
    {
        if (Bytes.Count >= _wantedBytes)
        {
            _reached.Set();
        }
    }
}
