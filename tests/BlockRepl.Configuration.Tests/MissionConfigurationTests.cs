using BlockRepl.Core.MetaData;
using BlockRepl.Core.Options;
using BlockRepl.Core.Protocol;
using Xunit;

namespace BlockRepl.Configuration.Tests;

/// <summary>The two files of the article are read unchanged and mean what DRBD's tools made of them.</summary>
public sealed class MissionConfigurationTests
{
    private readonly NodeConfiguration _node = MemoryFiles.FromGolden().Read("ehjb.rothirsch.tech");

    [Fact]
    public void R0_conf_is_read_although_only_res_files_are_included_and_the_reader_is_told()
    {
        Assert.Single(_node.Resources);
        string warning = Assert.Single(_node.Warnings);
        Assert.StartsWith("/etc/drbd.conf:2: /etc/drbd.d/r0.conf is not included here", warning);
        Assert.Contains("Rename it", warning);
    }

    [Fact]
    public void Both_hosts_see_the_same_volume_and_each_other()
    {
        ResourceConfiguration r0 = _node.Resources[0];
        Assert.Equal("ipv4 172.30.2.11:7788", r0.Own.ToString());
        Assert.Equal("ipv4 172.30.2.12:7788", r0.Peer.ToString());
        Assert.Equal("ehjc.rothirsch.tech", r0.Peer.Name);
        VolumeConfiguration volume = Assert.Single(r0.Volumes);
        Assert.Equal((0, 0, "/dev/drbd0"), (volume.Number, volume.Minor, volume.DevicePath));
        Assert.Equal(("/dev/mmcblk0p2", MetaDataKind.Internal), (volume.DiskPath, volume.MetaDataKind));
        Assert.Equal(volume.DiskPath, volume.MetaDiskPath);
        ResourceConfiguration other = MemoryFiles.FromGolden().Read("ehjc.rothirsch.tech").Resources[0];
        Assert.Equal(r0.Peer.ToString(), other.Own.ToString());
    }

    [Fact]
    public void Net_options_are_those_of_common_and_of_the_resource()
    {
        NetOptions net = _node.Resources[0].Options.Net;
        Assert.Equal(ReplicationProtocol.B, net.Protocol);
        Assert.Equal(AfterSplitBrain.DiscardYoungerPrimary, net.AfterSplitBrain0Primaries);
        Assert.Equal(AfterSplitBrain.DiscardSecondary, net.AfterSplitBrain1Primary);
        Assert.Equal(AfterSplitBrain.Disconnect, net.AfterSplitBrain2Primaries);
        Assert.Equal(DigestAlgorithm.Md5, net.VerifyAlgorithm);
        Assert.Equal(DigestAlgorithm.Md5, net.IntegrityAlgorithm);
        Assert.Equal(2048 * 1024, net.SendBufferBytes);
        Assert.Equal(1024 * 1024, net.ReceiveBufferBytes);
        Assert.Equal(36864, net.MaxBuffersPages);
        Assert.Equal(60, net.TimeoutDeciseconds);
    }

    [Fact]
    public void Disk_options_have_their_units_and_defaults()
    {
        DiskOptions disk = _node.Resources[0].Options.Volumes[0].Disk;
        Assert.False(disk.DiskFlushes);
        Assert.False(disk.MetaDataFlushes);
        Assert.False(disk.DiskBarrier);
        Assert.True(disk.DiskDrain);
        Assert.Equal(OnIoError.Detach, disk.OnIoError);
        Assert.Equal(3389, disk.ActivityLogExtents);
        Assert.Equal(
            new ResyncOptions
            {
                FillTargetSectors = 204800,
                MaxRateKiBPerSecond = 1126400,
                PlanAheadDeciseconds = 25,
                MinRateKiBPerSecond = 40960,
            },
            disk.Resync);
        Assert.Equal(OnNoData.IoError, _node.Resources[0].Options.OnNoDataAccessible);
    }

    [Fact]
    public void Startup_timeouts_are_kept()
    {
        StartupOptions startup = _node.Resources[0].Startup;
        Assert.Equal((300, 120, 120), (startup.WaitSeconds, startup.DegradedWaitSeconds, startup.OutdatedWaitSeconds));
    }

    [Fact]
    public void A_short_host_name_matches_nothing_and_the_reason_is_said()
    {
        NodeConfiguration node = MemoryFiles.FromGolden().Read("ehjb");
        Assert.Empty(node.Resources);
        string why = node.WhyMissing("r0");
        Assert.Contains("has no section for this host 'ehjb', only for ehjb.rothirsch.tech, ehjc.rothirsch.tech", why);
        Assert.Contains("--node", why);
    }

    [Fact]
    public void Without_any_resource_the_ending_of_the_file_is_named()
    {
        MemoryFiles files = MemoryFiles.FromGolden();
        files.Remove("/etc/drbd.d/r0.conf");
        Assert.Contains("such as r0.conf", files.Read("ehjb").WhyMissing("r0"));
    }
}
