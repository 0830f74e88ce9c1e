using System.Globalization;
using BlockRepl.Platform.Native;

namespace BlockRepl.Platform.Devices;

/// <summary>What an NBD device of the kernel shall be.</summary>
/// <param name="ServerFlags">Transmission flags of the NBD protocol.</param>
/// <param name="Identifier">Whoever shows it may take the device over.</param>
/// <param name="WaitForServer">
/// How long requests wait for a new connection when the old one died; null: for ever.
/// </param>
public sealed record KernelNbdOptions(
    long SizeBytes, int BlockBytes, ulong ServerFlags, string Identifier, TimeSpan? WaitForServer);

/// <summary>
/// The kernel's NBD client: makes /dev/nbdN of a connected socket. A device has one connection and no time limit for a
/// request, see brn_nbd_config. The calls wait for the kernel; any thread may make them.
/// </summary>
public static unsafe class KernelNbd
{
    /// <summary>
    /// When the kernel looks for requests that were in flight on a connection that died, to send them again on the new
    /// one. It then also logs each that has run for so long: on a memory card that often takes a second. Its clock for
    /// this ticks about once a second.
    /// </summary>
    private const int RetryMilliseconds = 3000;

    /// <summary>
    /// A write of a process that is killed while it waits for room in the socket makes kernels up to 6.12 lose a
    /// request: its header carries a tag that is another request's by the time of the answer. At best they give up the
    /// connection, at worst the other request counts as done. So there is always room: for all requests of a device at
    /// once, with what the kernel adds to each page of them. A limit, not memory that is taken.
    /// </summary>
    private const int SendBufferBytes = 32 << 20;

    /// <summary>
    /// How many requests, and how large: together what a server has buffers for, so that the socket, whose memory is
    /// taken from the kernel's last reserves, holds them only while the server is stopped or starts anew. No scheduler,
    /// which would bring requests of its own: the disk below has one, and DRBD's device has none either.
    /// </summary>
    private static readonly (string Name, string Value)[] Queue =
    [
        ("scheduler", "none"),
        ("nr_requests", "64"),
        ("max_sectors_kb", "128"),
        ("io_timeout", RetryMilliseconds.ToString(CultureInfo.InvariantCulture)),
    ];

    /// <summary>To the kernel no time means no wait.</summary>
    private static readonly TimeSpan ForEver = TimeSpan.FromDays(10 * 365);

    private const string BlockDevices = "/sys/block";

    public static bool IsUsable(out string why)
    {
        AbiCheck.Run();
        var result = NativeMethods.NbdConnected(0);
        why = result switch
        {
            -NativeError.NotSupported => "the kernel has no NBD client (modprobe nbd)",
            -NativeError.NotPermitted => "NBD devices are made by root only",
            < 0 and not -NativeError.NoDevice and not -NativeError.Invalid => NativeError.Message(-result),
            _ => "",
        };
        return why.Length == 0;
    }

    public static string PathOf(int index) => string.Create(CultureInfo.InvariantCulture, $"/dev/nbd{index}");

    /// <summary>Two ends of a connection, neither owned by a runtime object; not to be exchanged.</summary>
    public static (int Own, int Kernel) MakeConnection()
    {
        var pair = stackalloc int[2];
        KernelDeviceException.Check(NativeMethods.SocketPair(pair, SendBufferBytes), "a pair of sockets");
        return (pair[0], pair[1]);
    }

    public static void CloseEnd(int descriptor) => _ = NativeMethods.Close(descriptor);

    /// <summary>Makes a device of the connection.</summary>
    /// <param name="index">The device's number, or -1: a free one.</param>
    /// <exception cref="KernelDeviceException">Busy: the number is taken.</exception>
    public static int Connect(KernelNbdOptions options, int index, int descriptor)
    {
        var config = Configuration(options, index, descriptor);
        var made = KernelDeviceException.Check(
            NativeMethods.NbdConnect(&config, options.Identifier), "making an NBD device");
        SetQueue(made);
        return made;
    }

    /// <summary>Gives a device whose connection died a new one.</summary>
    /// <exception cref="KernelDeviceException">Busy: the old connection lives.</exception>
    public static void Reconnect(KernelNbdOptions options, int index, int descriptor)
    {
        var config = Configuration(options, index, descriptor);
        config.Size = 0;
        config.BlockSize = 0;
        KernelDeviceException.Check(
            NativeMethods.NbdReconfigure(&config, options.Identifier), $"taking {PathOf(index)} over");
    }

    public static void Resize(KernelNbdOptions options, int index)
    {
        var config = Configuration(options, index, -1);
        KernelDeviceException.Check(
            NativeMethods.NbdReconfigure(&config, options.Identifier), $"the new size of {PathOf(index)}");
    }

    /// <summary>Whether the device shall end when its last user closes it. False: there is no such device.</summary>
    public static bool TrySetEndOnClose(KernelNbdOptions options, int index, bool end)
    {
        var config = Configuration(options, index, -1);
        config.Size = 0;
        config.BlockSize = 0;
        config.EndOnClose = end ? 1u : 0u;
        var result = NativeMethods.NbdReconfigure(&config, options.Identifier);
        return result != -NativeError.Invalid && KernelDeviceException.Check(result, PathOf(index)) == 0;
    }

    /// <summary>Ends a device; the I/O of whoever has it open fails.</summary>
    public static void Disconnect(int index) => _ = NativeMethods.NbdDisconnect(index);

    public static bool IsConnected(int index) => NativeMethods.NbdConnected(index) > 0;

    /// <summary>The devices whose identifier begins so, with the whole identifier.</summary>
    public static IReadOnlyDictionary<int, string> Find(string prefix)
    {
        var found = new Dictionary<int, string>();
        if (!Directory.Exists(BlockDevices))
        {
            return found;
        }

        foreach (var folder in Directory.GetDirectories(BlockDevices, "nbd*"))
        {
            if (int.TryParse(Path.GetFileName(folder).AsSpan(3), CultureInfo.InvariantCulture, out var index)
                && ReadLine(Path.Combine(folder, "backend")) is { } identifier
                && identifier.StartsWith(prefix, StringComparison.Ordinal) && IsConnected(index))
            {
                found[index] = identifier;
            }
        }

        return found;
    }

    private static NativeNbdConfig Configuration(KernelNbdOptions options, int index, int descriptor) => new()
    {
        Size = (ulong)options.SizeBytes,
        ServerFlags = options.ServerFlags,
        DeadTimeout = (ulong)(options.WaitForServer ?? ForEver).TotalSeconds,
        BlockSize = (uint)options.BlockBytes,
        Index = index,
        Descriptor = descriptor,
    };

    private static void SetQueue(int index)
    {
        foreach (var (name, value) in Queue)
        {
            try
            {
                File.WriteAllText(
                    string.Create(CultureInfo.InvariantCulture, $"{BlockDevices}/nbd{index}/queue/{name}"), value);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                // Another sysfs: requests are larger and a new server gets the old requests later. Nothing breaks.
            }
        }
    }

    private static string? ReadLine(string path)
    {
        try
        {
            return File.ReadAllText(path).TrimEnd('\n');
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null; // a kernel before 5.14, or the device has just gone
        }
    }
}
