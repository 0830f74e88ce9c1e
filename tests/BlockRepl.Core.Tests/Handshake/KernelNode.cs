using BlockRepl.Core.Options;
using BlockRepl.Core.Protocol;

namespace BlockRepl.Core.Tests.Handshake;

/// <summary>
/// A model of how a kernel connects: one thing after the other, each blocking; streams of the peer wait in the
/// listener's backlog meanwhile, unread bytes hide an end, and after a crossing a coin decides whether it waits again.
/// </summary>
internal sealed class KernelNode(TestNetwork network, int index, NetOptions net) : TestNode(network, index)
{
    private readonly Queue<TestNetwork.TestStream> _backlog = [];
    private TestNetwork.TestStream? _data;
    private TestNetwork.TestStream? _meta;
    private TestNetwork.TestStream? _opening;
    private TestNetwork.TestStream? _reading;
    private bool _resolveConflicts;
    private bool _waiting;
    private bool _handshake;
    private int _step;

    private long ConnectNs => net.ConnectIntervalSeconds * TestNetwork.Second;

    private long FirstPacketNs => 4 * net.PingTimeoutDeciseconds * 100 * TestNetwork.Millisecond;

    private bool Complete => _data is not null && _meta is not null;

    public override void Start()
    {
        Listening = true;
        _handshake = false;
        Connect();
    }

    public override void Restart(long downNs)
    {
        TearDown();
        int step = _step;
        Network.At(downNs, () =>
        {
            if (step == _step)
            {
                Start();
            }
        });
    }

    public override void OnEstablished(TestNetwork.TestStream stream)
    {
        if (stream != _opening)
        {
            return;
        }

        _opening = null;
        if (_data is null)
        {
            _data = stream;
            stream.Send(Command.InitialData);
        }
        else
        {
            _resolveConflicts = false;
            _meta = stream;
            stream.Send(Command.InitialMeta);
        }

        Check(Wait);
    }

    public override void OnRefused(TestNetwork.TestStream stream)
    {
        stream.Closed = true;
        if (stream == _opening)
        {
            _opening = null;
            Check(Wait);
        }
    }

    public override void OnArrived(TestNetwork.TestStream stream)
    {
        _backlog.Enqueue(stream);
        if (_waiting)
        {
            Accept();
        }
    }

    public override void OnReadable(TestNetwork.TestStream stream)
    {
        if (stream == _reading)
        {
            ReadFirst();
        }
        else if (_handshake && stream == _data && Established is null
            && stream.Unread.Contains(Command.ConnectionFeatures))
        {
            Established = (_data!.Connection, _meta!.Connection, _resolveConflicts);
            EstablishedAtNs = Network.NowNs;
        }
    }

    public override void OnEnd(TestNetwork.TestStream stream)
    {
        if (stream == _reading)
        {
            ReadFirst();
        }
        else if (_handshake && (stream == _data || stream == _meta))
        {
            Restart(TestNetwork.Second);
        }
    }

    /// <summary>Step 1.</summary>
    private void Connect()
    {
        _waiting = false;
        TestNetwork.TestStream stream = Network.Open(this);
        _opening = stream;
        After(ConnectNs, () =>
        {
            stream.Close();
            _opening = null;
            Check(Wait);
        });
    }

    /// <summary>Steps 2 and 4.</summary>
    private void Check(Action otherwise)
    {
        _waiting = false;
        if (!Complete)
        {
            Next();
            otherwise();
            return;
        }

        After(net.PingTimeoutDeciseconds * 100 * TestNetwork.Millisecond, () =>
        {
            DropDead();
            if (Complete)
            {
                BeginHandshake();
            }
            else
            {
                otherwise();
            }
        });
    }

    /// <summary>Step 3.</summary>
    private void Wait()
    {
        long seventh = ConnectNs / 7;
        After(ConnectNs + (Network.Random.Next(2) == 0 ? seventh : -seventh), () => Check(Connect));
        _waiting = true;
        if (_backlog.Count > 0)
        {
            Accept();
        }
    }

    private void Accept()
    {
        _waiting = false;
        _reading = _backlog.Dequeue();
        After(FirstPacketNs, () =>
        {
            _reading!.Close();
            _reading = null;
            FlipCoin();
        });
        if (_reading.Unread.Count > 0 || _reading.EndPending)
        {
            ReadFirst();
        }
    }

    private void ReadFirst()
    {
        TestNetwork.TestStream stream = _reading!;
        _reading = null;
        Next();
        bool read = stream.Unread.TryDequeue(out Command command);
        DropDead();
        if (read && command == Command.InitialData)
        {
            Adopt(ref _data, stream);
        }
        else if (read && command == Command.InitialMeta)
        {
            _resolveConflicts = true;
            Adopt(ref _meta, stream);
        }
        else
        {
            stream.Close();
            FlipCoin();
        }
    }

    private void Adopt(ref TestNetwork.TestStream? slot, TestNetwork.TestStream stream)
    {
        bool crossed = slot is not null;
        slot?.Close();
        slot = stream;
        if (crossed)
        {
            FlipCoin();
        }
        else
        {
            Check(Connect);
        }
    }

    private void FlipCoin()
    {
        if (Network.Random.Next(2) == 0)
        {
            Wait();
        }
        else
        {
            Check(Connect);
        }
    }

    private void DropDead()
    {
        if (_data is { EndPending: true, Unread.Count: 0 })
        {
            _data.Close();
            _data = null;
        }

        if (_meta is { EndPending: true, Unread.Count: 0 })
        {
            _meta.Close();
            _meta = null;
        }
    }

    private void BeginHandshake()
    {
        Next();
        Listening = false;
        CloseBacklog();
        _handshake = true;
        _data!.Send(Command.ConnectionFeatures);
        After(FirstPacketNs, () =>
        {
            if (Established is null)
            {
                Restart(TestNetwork.Second);
            }
        });
        if (_data.EndPending || _meta!.EndPending)
        {
            Restart(TestNetwork.Second);
            return;
        }

        OnReadable(_data);
    }

    private void TearDown()
    {
        Next();
        Listening = false;
        CloseBacklog();
        _opening?.Close();
        _reading?.Close();
        _data?.Close();
        _meta?.Close();
        (_opening, _reading, _data, _meta) = (null, null, null, null);
        _waiting = false;
        _handshake = false;
        Established = null;
    }

    private void CloseBacklog()
    {
        while (_backlog.TryDequeue(out TestNetwork.TestStream? stream))
        {
            stream.Close();
        }
    }

    /// <summary>What was to happen after a while does not any more.</summary>
    private int Next() => ++_step;

    private void After(long delayNs, Action action)
    {
        int step = Next();
        Network.At(delayNs, () =>
        {
            if (step == _step)
            {
                Next();
                action();
            }
        });
    }
}
