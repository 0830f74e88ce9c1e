using BlockRepl.Core;
using BlockRepl.FrontEnd;
using BlockRepl.Platform.Buffers;
using BlockRepl.Platform.Loop;
using BlockRepl.Platform.Storage;

namespace BlockRepl.Engine;

/// <summary>One volume as its front ends see it: who has it open, and the way of requests and completions.</summary>
internal sealed class VolumeDevice : IVolumeDevice
{
    /// <summary>Clients that may have one volume open; bounds the table behind the tokens.</summary>
    public const int MaxClients = 64;

    private readonly ResourceDriver _driver;
    private readonly IVolumeClient?[] _clients = new IVolumeClient?[MaxClients];
    private readonly int _index;
    private int _openCount;

    public VolumeDevice(ResourceDriver driver, int index, int volume)
    {
        _driver = driver;
        _index = index;
        Volume = volume;
        Name = $"{driver.Options.Resource.Name}/{volume}";
    }

    public int Volume { get; }

    public string Name { get; }

    public EventLoop Loop => _driver.Loop;

    public IoBufferPool Buffers => _driver.Accounts.Pool;

    /// <summary>The opened disks, or null while detached.</summary>
    public VolumeDisks? Disks { get; set; }

    /// <summary>Where a successor finds the writes under way; null if nothing is kept.</summary>
    public WriteRecordFile? Record { get; set; }

    /// <summary>An attach is opening the disks right now.</summary>
    public bool IsOpening { get; set; }

    /// <summary>The core said that the device changed; clients are told at the end of the turn.</summary>
    public bool IsChanged { get; set; }

    public bool TryDescribe(out VolumeFacts facts, out string refusal)
    {
        var device = _driver.Core.GetDevice(Volume);
        facts = ToFacts(device);
        refusal = "";
        if (!device.IsPrimary)
        {
            refusal = $"{Name} is Secondary on this node; run: blockrepl primary {_driver.Options.Resource.Name}";
        }
        else if (device.SizeSectors == 0)
        {
            refusal = $"{Name} has no size yet: attach its disk or connect to the peer";
        }

        return refusal.Length == 0;
    }

    public bool TryOpen(IVolumeClient client, out VolumeFacts facts, out string refusal)
    {
        if (!TryDescribe(out facts, out refusal))
        {
            return false;
        }

        var free = Array.IndexOf(_clients, null);
        if (free < 0)
        {
            refusal = $"{Name} is open {MaxClients} times already";
            return false;
        }

        _clients[free] = client;
        _driver.OnOpenCount(Volume, ++_openCount);
        return true;
    }

    public void Close(IVolumeClient client)
    {
        _clients[IndexOf(client)] = null;
        _driver.OnOpenCount(Volume, --_openCount);
    }

    /// <remarks>
    /// Token towards the core: volume index (16 bits), client index (16), the client's own token (32).
    /// </remarks>
    public void Submit(IVolumeClient client, in FrontEndRequest request)
    {
        Invariant.Require(request.Token.Value <= uint.MaxValue, "a front end's token has 32 bits");
        var token = ((ulong)_index << 48) | ((ulong)IndexOf(client) << 32) | request.Token.Value;
        _driver.OnRequest(Volume, request with { Token = new FrontEndToken(token) });
    }

    public bool TryRentBuffer(int byteCount, out BufferHandle buffer) =>
        _driver.Accounts.TryRent(BufferOwner.FrontEnd, byteCount, out buffer);

    public void ReturnBuffer(BufferHandle buffer) => _driver.Accounts.Return(buffer);

    public void SetArriving(bool arriving) => _driver.PayloadsArriving += arriving ? 1 : -1;

    public void NotifyWhenBuffersReturn(IVolumeClient client) => _driver.AddBufferWaiter(client);

    /// <summary>Delivers a completion; the driver has taken the volume's part off the token already.</summary>
    public void Complete(ulong token, RequestError error)
    {
        var client = _clients[(token >> 32) & 0xffff];
        Invariant.Require(client is not null, "a completion for a client that has gone");
        client.OnCompleted(new FrontEndToken(token & uint.MaxValue), error);
    }

    public void TellChanged()
    {
        IsChanged = false;
        if (_openCount == 0)
        {
            return;
        }

        var facts = ToFacts(_driver.Core.GetDevice(Volume));
        foreach (var client in _clients)
        {
            client?.OnVolumeChanged(facts);
        }
    }

    public void TellGone()
    {
        foreach (var client in _clients)
        {
            client?.OnVolumeGone();
        }

        Array.Clear(_clients);
    }

    private static VolumeFacts ToFacts(in DeviceFacts device)
    {
        var blocks = (ulong)device.LogicalBlockBytes >> 9;
        return new VolumeFacts(
            (long)(device.SizeSectors / blocks * blocks) << 9,
            device.LogicalBlockBytes,
            device.CanZeroFast,
            device.MaxRequestBytes,
            device.MaxZeroBytes);
    }

    private int IndexOf(IVolumeClient client)
    {
        var index = Array.IndexOf(_clients, client);
        Invariant.Require(index >= 0, "a client that has not opened the volume");
        return index;
    }
}
