using BlockRepl.Iscsi.Protocol;
using BlockRepl.Iscsi.Protocol.Login;
using BlockRepl.Iscsi.Settings;
using Xunit;

namespace BlockRepl.Iscsi.Tests.Simulated;

/// <summary>A disk of ours on a simulated network.</summary>
internal sealed class SimulatedDisk
{
    public const string Address = "iscsi://10.0.0.1/iqn.2020-01.org.example:disk/1";

    public static readonly TimeSpan Timeout = TimeSpan.FromSeconds(3);

    public SimulatedDisk(SimulatedNetwork network, ChapCredentials? chap = null, string address = Address)
    {
        Network = network;
        Disk = new IscsiDisk(
            network, IscsiAddress.Parse(address), new Identity("iqn.2020-01.org.example:us", chap), Notices.Add);
    }

    public SimulatedNetwork Network { get; }

    public IscsiDisk Disk { get; }

    public List<string> Notices { get; } = [];

    /// <summary>An open disk on a target with these options.</summary>
    public static SimulatedDisk Opened(SimulatedNetwork network, ChapCredentials? chap = null)
    {
        var disk = new SimulatedDisk(network, chap);
        disk.Disk.Open(Timeout);
        return disk;
    }

    public static SimulatedDisk Opened(TargetOptions options, int sectorSize = 512, ChapCredentials? chap = null) =>
        Opened(new SimulatedNetwork(new SimulatedLun(2048, sectorSize)) { Options = _ => options }, chap);

    public byte[] Read(long sector, int sectors = 1)
    {
        byte[] buffer = new byte[sectors * Disk.SectorSize];
        Disk.Read(sector, buffer, Timeout);
        return buffer;
    }

    public byte[] WriteRandom(long sector, int sectors, int seed)
    {
        byte[] data = new byte[sectors * Disk.SectorSize];
        new Random(seed).NextBytes(data);
        Disk.Write(sector, data, Timeout);
        return data;
    }

    /// <summary>The action fails in this way, and its message contains the text.</summary>
    public static IscsiException Fails(IscsiError error, string text, Action action)
    {
        IscsiException failure = Assert.Throws<IscsiException>(action);
        Assert.Contains(text, failure.Message, StringComparison.Ordinal);
        Assert.Equal(error, failure.Error);
        return failure;
    }
}
