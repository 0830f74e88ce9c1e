using BlockRepl.Platform.Native;
using Mono.Unix.Native;

namespace BlockRepl.Platform.Devices;

/// <summary>
/// A small process beside the daemon that keeps descriptors by name, so that they are still open when the next daemon
/// comes; and that ends devices which none comes for. One connection at a time; any thread. The calls wait for an
/// answer, which takes no more than its way.
/// </summary>
public sealed class DescriptorKeeper : IDisposable
{
    private const string Program = "blockrepl-keeper";

    private readonly Lock _lock = new();
    private readonly int _connection;
    private bool _disposed;

    private DescriptorKeeper(int connection) => _connection = connection;

    /// <summary>The one that listens on the socket, or null.</summary>
    public static DescriptorKeeper? TryConnect(string socketPath)
    {
        AbiCheck.Run();
        var connection = NativeMethods.KeeperConnect(socketPath);
        return connection >= 0 ? new DescriptorKeeper(connection) : null;
    }

    /// <summary>Starts one that listens on the socket from now on.</summary>
    /// <exception cref="KernelDeviceException">It cannot be started or reached.</exception>
    public static DescriptorKeeper Start(string socketPath)
    {
        AbiCheck.Run();
        var program = Path.Combine(AppContext.BaseDirectory, Program);
        KernelDeviceException.Check(
            NativeMethods.KeeperStart(program, socketPath), "starting " + program);
        return new DescriptorKeeper(
            KernelDeviceException.Check(NativeMethods.KeeperConnect(socketPath), "reaching " + program));
    }

    /// <summary>The process has ended, or another connection took this one's place.</summary>
    public bool HasGone
    {
        get
        {
            lock (_lock)
            {
                // The end is reported without being asked for.
                Pollfd[] polled = [new Pollfd { fd = _connection }];
                return _disposed || Syscall.poll(polled, 1, 0) > 0;
            }
        }
    }

    /// <summary>A descriptor of the same open file as the one that is kept; it is kept on.</summary>
    public bool TryGet(string name, out int descriptor)
    {
        lock (_lock)
        {
            descriptor = _disposed ? -1 : NativeMethods.KeeperGet(_connection, name);
            return descriptor >= 0;
        }
    }

    /// <summary>Whether it keeps one of that name.</summary>
    public bool Has(string name)
    {
        var found = TryGet(name, out var descriptor);
        if (found)
        {
            _ = NativeMethods.Close(descriptor);
        }

        return found;
    }

    public void Drop(string name)
    {
        lock (_lock)
        {
            if (!_disposed)
            {
                _ = NativeMethods.KeeperDrop(_connection, name);
            }
        }
    }

    /// <summary>Ends the connection; what is kept stays kept for as long as was said when it was put.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            if (!_disposed)
            {
                _disposed = true;
                _ = NativeMethods.Close(_connection);
            }
        }
    }

    /// <summary>Keeps a descriptor under a name.</summary>
    /// <param name="patience">For how long when the daemon has gone; null: for ever.</param>
    /// <exception cref="KernelDeviceException">The keeper is full or has gone.</exception>
    public void Put(string name, int descriptor, TimeSpan? patience)
    {
        var seconds = patience is { } limit ? (uint)limit.TotalSeconds : 0;
        lock (_lock)
        {
            KernelDeviceException.Check(
                NativeMethods.KeeperPut(_connection, name, descriptor, seconds), "handing a descriptor to " + Program);
        }
    }

    /// <summary>
    /// When the daemon has gone for so long, the ublk device shall end if it has this identity and nobody serves it.
    /// </summary>
    /// <exception cref="KernelDeviceException">The keeper is full or has gone.</exception>
    public void PutUblk(string name, int index, ulong identity, TimeSpan patience)
    {
        lock (_lock)
        {
            KernelDeviceException.Check(
                NativeMethods.KeeperPutUblk(_connection, name, index, identity, (uint)patience.TotalSeconds),
                $"telling {Program} of {KernelUblk.PathOf(index)}");
        }
    }

    /// <summary>
    /// When the daemon has gone for so long, the NBD device shall end if it has this identifier.
    /// </summary>
    /// <exception cref="KernelDeviceException">The keeper is full or has gone.</exception>
    public void PutNbd(string identifier, int index, TimeSpan patience)
    {
        lock (_lock)
        {
            KernelDeviceException.Check(
                NativeMethods.KeeperPutNbd(_connection, identifier, index, (uint)patience.TotalSeconds),
                $"telling {Program} of {KernelNbd.PathOf(index)}");
        }
    }
}
