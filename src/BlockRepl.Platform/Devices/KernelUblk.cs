using System.Globalization;
using BlockRepl.Platform.Native;

namespace BlockRepl.Platform.Devices;

/// <summary>What a ublk device shall be.</summary>
/// <param name="Identity">64 bits of the server's own, by which it finds the device again.</param>
/// <param name="MaxIoBytes">Largest read or write that the kernel shall send.</param>
/// <param name="MaxZeroBytes">The same for discards and zeroes.</param>
/// <param name="Queues">Queues of <paramref name="Depth"/> requests each.</param>
public sealed record KernelUblkOptions(
    long SizeBytes,
    int BlockBytes,
    ulong Identity,
    int MaxIoBytes,
    int MaxZeroBytes,
    bool Rotational,
    int Queues,
    int Depth);

/// <summary>A device that the kernel has.</summary>
/// <param name="IsDead">Nobody can use it any more, or not yet.</param>
public readonly record struct KernelUblkDevice(int Index, ulong Identity, int Queues, int Depth, bool IsDead);

/// <summary>
/// Control of ublk devices: /dev/ublkbN for everybody, /dev/ublkcN for the server. The calls wait for the kernel, some
/// of them for I/O to the device: never make them on the thread that serves it.
/// </summary>
public static unsafe class KernelUblk
{
    private const long UserCopy = 1 << 7;
    private const ushort Dead = 0;
    private const string CharacterDevices = "/sys/class/ublk-char";

    public static bool IsUsable(out string why)
    {
        AbiCheck.Run();
        var features = NativeMethods.UblkFeatures();
        why = features switch
        {
            -NativeError.NotSupported => "the kernel has no ublk of 6.5 or newer (modprobe ublk_drv)",
            -NativeError.NotPermitted or -NativeError.Access => "ublk devices are made by root only",
            < 0 => NativeError.Message((int)-features),
            _ when (features & UserCopy) == 0 => "the kernel's ublk lets no server copy data by itself",
            _ => "",
        };
        return why.Length == 0;
    }

    public static string PathOf(int index) => string.Create(CultureInfo.InvariantCulture, $"/dev/ublkb{index}");

    /// <summary>The devices with a server's identity.</summary>
    public static IReadOnlyList<KernelUblkDevice> List()
    {
        var found = new List<KernelUblkDevice>();
        var folders = Directory.Exists(CharacterDevices) ? Directory.GetDirectories(CharacterDevices, "ublkc*") : [];
        foreach (var folder in folders)
        {
            NativeUblkInfo info;
            if (int.TryParse(Path.GetFileName(folder).AsSpan(5), CultureInfo.InvariantCulture, out var index)
                && NativeMethods.UblkInfoGet(index, &info) == 0)
            {
                found.Add(new KernelUblkDevice(index, info.Identity, info.Queues, info.Depth, info.State == Dead));
            }
        }

        return found;
    }

    /// <summary>Makes a device that nobody sees yet.</summary>
    /// <param name="index">Its number, or -1: a free one.</param>
    /// <exception cref="KernelDeviceException">Busy: the number is taken.</exception>
    public static int Add(KernelUblkOptions options, int index)
    {
        var config = new NativeUblkConfig
        {
            Size = (ulong)options.SizeBytes,
            Identity = options.Identity,
            LogicalBlock = (uint)options.BlockBytes,
            PhysicalBlock = 4096,
            MaxIoBytes = (uint)options.MaxIoBytes,
            MaxZeroBytes = (uint)options.MaxZeroBytes,
            DiscardGranularity = 4096,
            Attributes = NativeUblkAttributes.VolatileCache | NativeUblkAttributes.ForceUnitAccess
                | NativeUblkAttributes.Discard
                | (options.Rotational ? NativeUblkAttributes.Rotational : NativeUblkAttributes.None),
            Index = index,
            Queues = (ushort)options.Queues,
            Depth = (ushort)options.Depth,
        };
        return KernelDeviceException.Check(NativeMethods.UblkAdd(&config), "making a ublk device");
    }

    /// <summary>Shows the device. Everything must have been fetched, or it waits for that.</summary>
    public static void Start(int index) =>
        KernelDeviceException.Check(NativeMethods.UblkStart(index), $"starting {PathOf(index)}");

    /// <exception cref="KernelDeviceException">Busy: its old server has not gone completely.</exception>
    public static void BeginRecovery(int index) =>
        KernelDeviceException.Check(NativeMethods.UblkBeginRecovery(index), $"taking {PathOf(index)} over");

    public static void EndRecovery(int index) =>
        KernelDeviceException.Check(NativeMethods.UblkEndRecovery(index), $"taking {PathOf(index)} over");

    /// <exception cref="KernelDeviceException">Kernels before 6.16 cannot.</exception>
    public static void Resize(int index, long sizeBytes) => KernelDeviceException.Check(
        NativeMethods.UblkResize(index, (ulong)sizeBytes), $"the new size of {PathOf(index)}");

    /// <summary>Takes the device away; its requests end first, or fail.</summary>
    public static void Stop(int index) => _ = NativeMethods.UblkStop(index);

    /// <summary>The number is free when channel and device are closed.</summary>
    /// <param name="wait">For that; false: kernels before 6.9 do nothing.</param>
    public static void Delete(int index, bool wait) => _ = NativeMethods.UblkDelete(index, wait ? 1u : 0u);
}
