using BlockRepl.Core;
using BlockRepl.Platform.Buffers;
using BlockRepl.Platform.Loop;
using BlockRepl.Platform.Net;
using BlockRepl.Platform.Storage;
using Xunit;

namespace BlockRepl.Platform.Tests;

/// <summary>
/// The loop's thread allocates nothing once it is warm: a block device must not wait for memory that can only be freed
/// by writing to it.
/// </summary>
public sealed class AllocationTests : IDisposable
{
    private const int Warm = 3000;
    private const int Counted = 10_000;
    private readonly string _path = Path.Combine(Path.GetTempPath(), $"blockrepl-test-{Guid.NewGuid():N}");

    public AllocationTests()
    {
        using var file = File.Create(_path);
        file.SetLength(1 << 20);
    }

    public static TheoryData<RingBackend> Backends => new(RingBackend.IoUring, RingBackend.Epoll);

    public void Dispose() => File.Delete(_path);

    [Theory]
    [MemberData(nameof(Backends))]
    public void Disk_operations_allocate_nothing(RingBackend backend)
    {
        using var test = new LoopFixture(backend);
        var load = new DiskLoad(test, _path);
        test.Run(load.Begin);
        test.Wait(load.Ended);
        Assert.Equal(0, load.Allocated);
        test.Run(load.Close);
    }

    [Theory]
    [MemberData(nameof(Backends))]
    public void Packets_and_payloads_allocate_nothing(RingBackend backend)
    {
        using var test = new LoopFixture(backend);
        var load = new StreamLoad(test);
        test.Run(load.Begin);
        test.Wait(load.Ended);
        Assert.Equal(0, load.Allocated);
        test.Run(load.Close);
    }

    /// <summary>Eight chains of rent, write, read, return, with a meta write in between.</summary>
    private sealed class DiskLoad(LoopFixture test, string path) : IBlockDeviceHandler
    {
        private readonly BufferHandle[] _buffers = new BufferHandle[8];
        private readonly byte[] _page = new byte[4096];
        private BlockDevice? _device;
        private int _done;
        private long _before;

        public ManualResetEventSlim Ended { get; } = new();

        public long Allocated { get; private set; }

        public void Begin()
        {
            _device = BlockDevice.Open(test.Loop, test.Pool, path, new BlockDeviceOptions(), this);
            for (var chain = 0; chain < _buffers.Length; chain++)
            {
                Next(chain);
            }
        }

        public void Close() => _device!.Close();

        public void OnDataDone(ulong token, IoError error, int errno)
        {
            Invariant.Require(error == IoError.None || Ended.IsSet, "I/O on a test file works");
            test.Pool.Return(_buffers[token]);
            _buffers[token] = default;
            if (Ended.IsSet)
            {
                return;
            }

            if (++_done % 5 == 0)
            {
                _device!.WriteMeta(token, 8192, _page);
            }
            else
            {
                Next((int)token);
            }
        }

        public void OnMetaDone(ulong token, IoError error, int errno, ReadOnlySpan<byte> data) => Next((int)token);

        public void OnDeviceClosed()
        {
        }

        private void Next(int chain)
        {
            if (_done >= Warm && _before == 0)
            {
                _before = GC.GetAllocatedBytesForCurrentThread();
            }

            if (_done >= Warm + Counted)
            {
                if (!Ended.IsSet)
                {
                    Allocated = GC.GetAllocatedBytesForCurrentThread() - _before;
                    Ended.Set();
                }

                return;
            }

            test.Pool.TryRent(4096, out _buffers[chain]);
            if (_done % 2 == 0)
            {
                _device!.Write((ulong)chain, chain * 4096, 4096, _buffers[chain], false);
            }
            else
            {
                _device!.Read((ulong)chain, chain * 4096, 4096, _buffers[chain]);
            }
        }
    }

    /// <summary>Records of a head and an 8 KiB payload go one way, a small answer for each comes back.</summary>
    private sealed class StreamLoad(LoopFixture test) : IStreamHandler, IListenerHandler
    {
        private const int HeadBytes = 32;
        private const int PayloadBytes = 8192;
        private readonly byte[] _head = new byte[HeadBytes];
        private readonly byte[] _answer = new byte[16];
        private StreamListener? _listener;
        private StreamSocket? _client;
        private StreamSocket? _server;
        private BufferHandle _receiving;
        private int _started;
        private int _answered;
        private long _before;

        public ManualResetEventSlim Ended { get; } = new();

        public long Allocated { get; private set; }

        public void Begin()
        {
            var options = new StreamSocketOptions();
            var address = new System.Net.IPEndPoint(System.Net.IPAddress.Loopback, 0);
            _listener = StreamListener.Listen(test.Loop, address, options, this);
            _client = StreamSocket.Connect(
                test.Loop, test.Pool, _listener.LocalEndPoint, null, 5_000_000_000, options, this);
        }

        public void Close()
        {
            _listener!.Close();
            _client!.Close(0);
            _server!.Close(0);
        }

        public void OnAccepted(StreamListener listener, int descriptor, System.Net.EndPoint? remote) =>
            _server = StreamSocket.Adopt(test.Loop, test.Pool, descriptor, new StreamSocketOptions(), this);

        public void OnConnected(StreamSocket stream)
        {
            for (var i = 0; i < 16; i++)
            {
                SendOne();
            }
        }

        public void OnReceived(StreamSocket stream)
        {
            if (stream == _server)
            {
                ReadHead();
            }
            else
            {
                ReadAnswers();
            }
        }

        public void OnPayloadReceived(StreamSocket stream, ulong token)
        {
            test.Pool.Return(_receiving);
            _receiving = default;
            _server!.Send(_answer);
            ReadHead();
        }

        public void OnSent(StreamSocket stream, ulong token, bool aborted) =>
            test.Pool.Return(new BufferHandle((int)token));

        public void OnClosed(StreamSocket stream, StreamCloseReason reason, int errno)
        {
        }

        public void OnReleased(StreamSocket stream)
        {
        }

        private void SendOne()
        {
            _started++;
            test.Pool.TryRent(PayloadBytes, out var buffer);
            _client!.SendPayload(_head, 16, buffer, PayloadBytes, (ulong)buffer.Value, out _);
        }

        private void ReadHead()
        {
            if (!_receiving.IsNone || !_server!.Input.TryRead(out var read))
            {
                return;
            }

            if (read.Buffer.Length < HeadBytes + 16)
            {
                _server.Input.AdvanceTo(read.Buffer.Start, read.Buffer.End);
                return;
            }

            _server.Input.AdvanceTo(read.Buffer.GetPosition(HeadBytes + 16));
            test.Pool.TryRent(PayloadBytes, out _receiving);
            _server.ReceiveInto(_receiving, 0, PayloadBytes, 0);
        }

        private void ReadAnswers()
        {
            if (!_client!.Input.TryRead(out var read))
            {
                return;
            }

            var answers = (int)(read.Buffer.Length / _answer.Length);
            _client.Input.AdvanceTo(read.Buffer.GetPosition(answers * _answer.Length), read.Buffer.End);
            for (var i = 0; i < answers; i++)
            {
                if (++_answered == Warm)
                {
                    _before = GC.GetAllocatedBytesForCurrentThread();
                }
                else if (_answered == Warm + Counted)
                {
                    Allocated = GC.GetAllocatedBytesForCurrentThread() - _before;
                    Ended.Set();
                }

                if (_started < Warm + Counted)
                {
                    SendOne();
                }
            }
        }
    }
}
