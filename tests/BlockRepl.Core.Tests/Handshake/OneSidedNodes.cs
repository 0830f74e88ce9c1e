using BlockRepl.Core.Protocol;

namespace BlockRepl.Core.Tests.Handshake;

/// <summary>A peer that never connects of its own accord; some of them connect back once for the meta stream.</summary>
internal sealed class ListenOnlyNode(TestNetwork network, int index, bool connectsBack) : TestNode(network, index)
{
    private TestNetwork.TestStream? _data;
    private TestNetwork.TestStream? _meta;
    private bool _metaAccepted;

    public override void Start() => Listening = true;

    public override void OnReadable(TestNetwork.TestStream stream)
    {
        if (!stream.Unread.TryPeek(out Command command))
        {
            return;
        }

        if (command == Command.InitialData)
        {
            stream.Unread.Dequeue();
            _data?.Close();
            _data = stream;
            if (connectsBack && _meta is null)
            {
                Network.Open(this);
            }
        }
        else if (command == Command.InitialMeta)
        {
            stream.Unread.Dequeue();
            _meta?.Close();
            _meta = stream;
            _metaAccepted = true;
        }

        TryEstablish();
    }

    public override void OnEstablished(TestNetwork.TestStream stream)
    {
        stream.Send(Command.InitialMeta);
        _meta = stream;
        _metaAccepted = false;
        TryEstablish();
    }

    public override void OnEnd(TestNetwork.TestStream stream)
    {
        stream.Close();
        _data = stream == _data ? null : _data;
        _meta = stream == _meta ? null : _meta;
        Established = null;
    }

    private void TryEstablish()
    {
        if (Established is null && _data is not null && _meta is not null
            && _data.Unread.Contains(Command.ConnectionFeatures))
        {
            _data.Send(Command.ConnectionFeatures);
            Established = (_data.Connection, _meta.Connection, _metaAccepted);
            EstablishedAtNs = Network.NowNs;
        }
    }
}

/// <summary>A peer that does not listen: it connects twice and starts anew when something goes wrong.</summary>
internal sealed class ConnectOnlyNode(TestNetwork network, int index) : TestNode(network, index)
{
    private TestNetwork.TestStream? _data;
    private TestNetwork.TestStream? _meta;
    private int _attempt;

    public override void Start()
    {
        int attempt = ++_attempt;
        Network.Open(this);
        Network.At(5 * TestNetwork.Second, () =>
        {
            if (attempt == _attempt && Established is null)
            {
                Again();
            }
        });
    }

    public override void OnEstablished(TestNetwork.TestStream stream)
    {
        if (_data is null)
        {
            _data = stream;
            stream.Send(Command.InitialData);
            Network.Open(this);
        }
        else if (_meta is null)
        {
            _meta = stream;
            stream.Send(Command.InitialMeta);
            _data.Send(Command.ConnectionFeatures);
        }
        else
        {
            stream.Close();
        }
    }

    public override void OnRefused(TestNetwork.TestStream stream) => Again();

    public override void OnReadable(TestNetwork.TestStream stream)
    {
        if (stream == _data && _meta is not null)
        {
            Established = (_data.Connection, _meta.Connection, false);
            EstablishedAtNs = Network.NowNs;
        }
    }

    public override void OnEnd(TestNetwork.TestStream stream)
    {
        stream.Close();
        if (stream == _data || stream == _meta)
        {
            Again();
        }
    }

    private void Again()
    {
        int attempt = ++_attempt;
        _data?.Close();
        _meta?.Close();
        (_data, _meta, Established) = (null, null, null);
        Network.At(TestNetwork.Second, () =>
        {
            if (attempt == _attempt)
            {
                Start();
            }
        });
    }
}
