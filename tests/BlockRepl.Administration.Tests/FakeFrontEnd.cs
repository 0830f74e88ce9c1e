using BlockRepl.Core;
using BlockRepl.FrontEnd;
using BlockRepl.FrontEnd.Devices;
using BlockRepl.Platform.Buffers;
using BlockRepl.Platform.Loop;

namespace BlockRepl.Administration.Tests;

/// <summary>A front end whose devices are files in a folder; it may be told to refuse.</summary>
internal sealed class FakeFrontEnd(string folder) : IDeviceFrontEnd
{
    public string Name { get; init; } = "fuse";

    public string Unusable { get; init; } = "";

    /// <summary>Volumes whose device cannot be made.</summary>
    public HashSet<string> Broken { get; } = [];

    public Dictionary<string, FakeNode> Nodes { get; } = [];

    public List<string> CleanUps { get; } = [];

    public bool IsUsable(out string why)
    {
        why = Unusable;
        return why.Length == 0;
    }

    public void CleanUp(string stateDirectory) => CleanUps.Add(stateDirectory);

    /// <summary>Volumes whose devices a dead daemon left in use.</summary>
    public HashSet<string> Waiting { get; } = [];

    public bool IsWaiting(string stateDirectory, string volume) => Waiting.Contains(volume);

    public IDeviceNode Open(IVolumeDevice volume, DeviceNodeOptions options)
    {
        if (Broken.Contains(volume.Name))
        {
            throw new DeviceNodeException($"no device for {volume.Name} today.");
        }

        var node = new FakeNode(Path.Combine(folder, volume.Name.Replace('/', '-')), options);
        Nodes[volume.Name] = node;
        return node;
    }
}

internal sealed class FakeNode : IDeviceNode
{
    public FakeNode(string path, DeviceNodeOptions options)
    {
        (Path, Options) = (path, options);
        File.WriteAllText(path, "");
    }

    public string Path { get; }

    public DeviceNodeOptions Options { get; }

    /// <summary>Somebody unseen has it open.</summary>
    public bool IsHeld { get; set; }

    public int Resizes { get; private set; }

    public int Repairs { get; private set; }

    public bool WasForced { get; private set; }

    public bool TryRemove()
    {
        if (!IsHeld)
        {
            File.Delete(Path);
        }

        return !IsHeld;
    }

    public bool WasHandedOver { get; private set; }

    public void Resize() => Resizes++;

    public void Repair() => Repairs++;

    public void HandOver() => WasHandedOver = true;

    public void Dispose()
    {
        WasForced = true;
        File.Delete(Path);
    }
}

/// <summary>A volume that has a name and nothing else.</summary>
internal sealed class NamedVolume(string name) : IVolumeDevice
{
    public string Name => name;

    public EventLoop Loop => throw new NotSupportedException();

    public IoBufferPool Buffers => throw new NotSupportedException();

    public bool TryDescribe(out VolumeFacts facts, out string refusal) => throw new NotSupportedException();

    public bool TryOpen(IVolumeClient client, out VolumeFacts facts, out string refusal) =>
        throw new NotSupportedException();

    public void Close(IVolumeClient client) => throw new NotSupportedException();

    public void Submit(IVolumeClient client, in FrontEndRequest request) => throw new NotSupportedException();

    public bool TryRentBuffer(int byteCount, out BufferHandle buffer) => throw new NotSupportedException();

    public void ReturnBuffer(BufferHandle buffer) => throw new NotSupportedException();

    public void SetArriving(bool arriving) => throw new NotSupportedException();

    public void NotifyWhenBuffersReturn(IVolumeClient client) => throw new NotSupportedException();
}
