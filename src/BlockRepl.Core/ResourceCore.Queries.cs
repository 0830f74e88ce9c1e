namespace BlockRepl.Core;

/// <summary>A volume's device as the front end offers it.</summary>
/// <param name="SizeSectors">Size in 512-byte sectors; 0 = not known yet.</param>
/// <param name="LogicalBlockBytes">Smallest request: 512 or 4096.</param>
/// <param name="IsPrimary">Whether this node may serve the device.</param>
/// <param name="CanZeroFast">Whether writing zeroes is sure to be cheap.</param>
public readonly record struct DeviceFacts(ulong SizeSectors, int LogicalBlockBytes, bool IsPrimary, bool CanZeroFast);

/// <summary>What a host may ask between events.</summary>
public sealed partial class ResourceCore
{
    /// <summary>The device of a volume now. Changes are told by <see cref="ICoreHost.DeviceChanged"/>.</summary>
    public DeviceFacts GetDevice(int volume) => throw new NotImplementedException();

    /// <summary>The status of every volume, in ascending order of their numbers; a copy.</summary>
    public IReadOnlyList<VolumeStatus> GetStatus(long nowNs) => throw new NotImplementedException();

    /// <summary>
    /// So many front-end clients have the volume's device open. While any has, demoting and taking down are refused with
    /// "device in use" (-12).
    /// </summary>
    public void OnOpenCount(long nowNs, int volume, int openCount) => throw new NotImplementedException();
}
