using BlockRepl.Core.Protocol;

namespace BlockRepl.Core.Tests.Handshake;

/// <summary>
/// TCP between two nodes as far as connecting is concerned, from one seed: connects that take a while, are refused or
/// are never answered, bytes and ends that arrive in order, connections that break.
/// </summary>
internal sealed class TestNetwork(Random random, bool lockstep = false)
{
    public const long Millisecond = 1_000_000;
    public const long Second = 1000 * Millisecond;

    private readonly PriorityQueue<Action, (long Time, long Order)> _events = new();
    private readonly List<Connection> _connections = [];
    private long _order;
    private int _lastStream;

    public Random Random => random;

    public long NowNs { get; private set; }

    /// <summary>
    /// While true, nothing gets through: new connects are not answered, the rest comes when it is over.
    /// </summary>
    public bool LinkDown { get; private set; }

    public TestNode[] Nodes { get; } = new TestNode[2];

    public void At(long delayNs, Action action) => _events.Enqueue(action, (NowNs + delayNs, _order++));

    public void RunUntil(long timeNs)
    {
        while (_events.TryPeek(out _, out (long Time, long Order) next) && next.Time <= timeNs)
        {
            Action action = _events.Dequeue();
            NowNs = next.Time;
            action();
        }

        NowNs = timeNs;
    }

    public void SetLink(bool down)
    {
        LinkDown = down;
        if (!down)
        {
            foreach (Connection connection in _connections)
            {
                connection.Flush();
            }
        }
    }

    public TestStream Open(TestNode from)
    {
        Connection connection = new(this, from, Nodes[1 - from.Index]);
        _connections.Add(connection);
        connection.Start();
        return connection.Opener;
    }

    /// <summary>Somebody else connects to a node: no packet, a wrong one, or an end at once.</summary>
    public void OpenStray(TestNode to)
    {
        Connection connection = new(this, new Stranger(this, 1 - to.Index), to);
        _connections.Add(connection);
        connection.Start();
    }

    /// <summary>Resets one connection: both ends learn of it.</summary>
    public void BreakOne()
    {
        List<Connection> open = _connections.FindAll(c => !c.Opener.Closed && !c.Acceptor.Closed && c.Accepted);
        if (open.Count > 0)
        {
            open[random.Next(open.Count)].Reset();
        }
    }

    private long Latency() =>
        lockstep ? Millisecond : (long)(random.NextDouble() * (random.Next(10) == 0 ? 40 : 2) * Millisecond) + 1000;

    private int NextStreamId() => ++_lastStream;

    /// <summary>One end of a connection.</summary>
    internal sealed class TestStream(Connection connection, TestNode node, int id)
    {
        public StreamId Id { get; } = new(id);

        public TestNode Node => node;

        public Connection Connection => connection;

        /// <summary>This end has closed it, or has been told of the end.</summary>
        public bool Closed { get; set; }

        /// <summary>The peer's end has arrived, perhaps behind bytes that nobody has read.</summary>
        public bool EndPending { get; set; }

        public Queue<Command> Unread { get; } = [];

        public void Send(Command command) => connection.Deliver(this, other =>
        {
            other.Unread.Enqueue(command);
            other.Node.OnReadable(other);
        });

        public void Close()
        {
            if (Closed)
            {
                return;
            }

            Closed = true;
            connection.Deliver(this, other =>
            {
                other.EndPending = true;
                other.Node.OnEnd(other);
            });
        }
    }

    /// <summary>A TCP connection, from the SYN on.</summary>
    internal sealed class Connection
    {
        private readonly TestNetwork _network;
        private readonly Queue<(long Time, Action Action)>[] _held = [[], []];
        private readonly long[] _lastArrival = new long[2];

        public Connection(TestNetwork network, TestNode from, TestNode to)
        {
            _network = network;
            Opener = new TestStream(this, from, network.NextStreamId());
            Acceptor = new TestStream(this, to, network.NextStreamId());
        }

        public TestStream Opener { get; }

        public TestStream Acceptor { get; }

        public bool Accepted { get; private set; }

        public void Start()
        {
            if (_network.LinkDown)
            {
                // The SYN is lost; sometimes a later one gets through when nobody waits for it any more.
                if (_network.Random.Next(2) == 0)
                {
                    _network.At(3 * Second, Start);
                }

                return;
            }

            _network.At(_network.Latency(), Arrive);
        }

        /// <summary>Something arrives at the other end, in order, unless that end has closed.</summary>
        public void Deliver(TestStream from, Action<TestStream> action)
        {
            TestStream to = from == Opener ? Acceptor : Opener;
            int direction = from == Opener ? 0 : 1;
            void Arrives()
            {
                if (!to.Closed && Accepted)
                {
                    action(to);
                }
            }

            if (_network.LinkDown)
            {
                _held[direction].Enqueue((0, Arrives));
                return;
            }

            Schedule(direction, Arrives);
        }

        public void Flush()
        {
            for (int direction = 0; direction < 2; direction++)
            {
                while (_held[direction].TryDequeue(out (long Time, Action Action) held))
                {
                    Schedule(direction, held.Action);
                }
            }
        }

        public void Reset()
        {
            foreach (TestStream end in new[] { Opener, Acceptor })
            {
                _network.At(_network.Latency(), () =>
                {
                    if (!end.Closed)
                    {
                        end.Unread.Clear();
                        end.EndPending = true;
                        end.Node.OnEnd(end);
                    }
                });
            }
        }

        private void Schedule(int direction, Action action)
        {
            long arrival = Math.Max(_lastArrival[direction], _network.NowNs + _network.Latency());
            _lastArrival[direction] = arrival;
            _network.At(arrival - _network.NowNs, action);
        }

        private void Arrive()
        {
            if (!Acceptor.Node.Listening)
            {
                Schedule(1, () =>
                {
                    if (!Opener.Closed)
                    {
                        Opener.Node.OnRefused(Opener);
                    }
                });
                return;
            }

            Accepted = true;
            Acceptor.Node.OnArrived(Acceptor);
            if (Opener.Closed)
            {
                // Given up meanwhile: the listener gets a stream that ends at once, without a byte.
                Deliver(Opener, other =>
                {
                    other.EndPending = true;
                    other.Node.OnEnd(other);
                });
                return;
            }

            Schedule(1, () =>
            {
                if (!Opener.Closed && !Opener.EndPending)
                {
                    Opener.Node.OnEstablished(Opener);
                }
            });
        }
    }

    /// <summary>Anybody on the network.</summary>
    private sealed class Stranger(TestNetwork network, int index) : TestNode(network, index)
    {
        public override void OnEstablished(TestStream stream)
        {
            switch (Network.Random.Next(4))
            {
                case 0:
                    break;
                case 1:
                    stream.Close();
                    break;
                case 2:
                    stream.Send(Command.Ping);
                    break;
                default:
                    stream.Send(Command.ConnectionFeatures);
                    stream.Close();
                    break;
            }
        }
    }
}

/// <summary>A node as the network sees it.</summary>
internal abstract class TestNode(TestNetwork network, int index)
{
    public TestNetwork Network { get; } = network;

    public int Index { get; } = index;

    public bool Listening { get; protected set; }

    /// <summary>The features were exchanged: the two streams that this node uses.</summary>
    public (TestNetwork.Connection Data, TestNetwork.Connection Meta, bool ResolveConflicts)? Established
    {
        get;
        protected set;
    }

    public long EstablishedAtNs { get; protected set; }

    public virtual void Start()
    {
    }

    /// <summary>Power off and, a little later, on again.</summary>
    public virtual void Restart(long downNs)
    {
    }

    public virtual void OnEstablished(TestNetwork.TestStream stream)
    {
    }

    public virtual void OnRefused(TestNetwork.TestStream stream)
    {
    }

    public virtual void OnArrived(TestNetwork.TestStream stream)
    {
    }

    public virtual void OnReadable(TestNetwork.TestStream stream)
    {
    }

    public virtual void OnEnd(TestNetwork.TestStream stream)
    {
    }
}
