using BlockRepl.Core;
using BlockRepl.Core.MetaData;
using BlockRepl.Core.Options;
using BlockRepl.Core.Protocol;
using Xunit;

namespace BlockRepl.Configuration.Tests;

/// <summary>What the grammar takes, and what it means.</summary>
public sealed class GrammarTests
{
    private const string Hosts = """
        on a { device /dev/drbd1; disk /dev/sda1; address 10.0.0.1:7788; meta-disk internal; }
        on b { device /dev/drbd1; disk /dev/sdb1; address 10.0.0.2:7788; meta-disk internal; }
        """;

    private static ResourceConfiguration Read(string resource, string common = "") =>
        MemoryFiles.One($"common {{ {common} }}\nresource r {{ {resource} }}").Read("a").Resources[0];

    private static DiskOptions Disk(string resource, string common = "") =>
        Read(resource, common).Options.Volumes[0].Disk;

    [Fact]
    public void Several_volumes_with_all_forms_of_meta_disk_and_device()
    {
        ResourceConfiguration r = Read("""
            volume 0 { device minor 7; disk /dev/v0; meta-disk internal; }
            volume 5 { device drbd8 minor 8; disk "/dev/by:id"; meta-disk /dev/md [3]; }
            on a {
                address 10.0.0.1:7788;
                volume 2 { device /dev/drbd_x minor 9; disk /dev/v2; flexible-meta-disk /dev/m2; }
            }
            on b { address 10.0.0.2:7788; volume 2 { device /dev/drbd9; disk /dev/w2; meta-disk /dev/m2; } }
            """);
        Assert.Equal([0, 2, 5], r.Volumes.Select(volume => volume.Number));
        Assert.Equal([7, 9, 8], r.Volumes.Select(volume => volume.Minor));
        Assert.Equal("/dev/drbd7", r.Volumes[0].DevicePath);
        Assert.Equal(
            (MetaDataKind.FlexibleExternal, "/dev/m2"), (r.Volumes[1].MetaDataKind, r.Volumes[1].MetaDiskPath));
        Assert.Equal((MetaDataKind.IndexedExternal, 3), (r.Volumes[2].MetaDataKind, r.Volumes[2].MetaDiskIndex));
        Assert.Equal("/dev/by:id", r.Volumes[2].DiskPath);
        Assert.Equal([0, 2, 5], r.Options.Volumes.Select(volume => volume.Number));
    }

    [Fact]
    public void Ipv6_addresses_with_and_without_scope()
    {
        ResourceConfiguration r = Read("""
            device /dev/drbd0; disk /dev/x; meta-disk internal;
            on a { address ipv6 [fe80::1%eth0]:7788; }
            on b { address ipv6 [fd00:0:0::2]:7789; }
            """);
        Assert.Equal("ipv6 [fe80::1%eth0]:7788", r.Own.ToString());
        Assert.Equal("ipv6 [fd00:0:0::2]:7789", r.Peer.ToString());
    }

    [Fact]
    public void Disk_options_inherit_option_by_option_with_the_volume_of_the_resource_weakest()
    {
        DiskOptions disk = Disk(
            """
            volume 0 { device minor 1; meta-disk internal; disk /dev/x;
                       disk { resync-rate 2M; al-extents 1000; c-plan-ahead 7; } }
            disk { c-min-rate 3M; c-max-rate 5M; }
            on a { address 10.0.0.1:1; volume 0 { disk { c-min-rate 9M; } } }
            on b { address 10.0.0.2:1; }
            """,
            "disk { resync-rate 1M; c-min-rate 1M; c-max-rate 1M; fencing resource-only; }");
        Assert.Equal(1024, disk.Resync.RateKiBPerSecond);
        Assert.Equal(9216, disk.Resync.MinRateKiBPerSecond);
        Assert.Equal(5120, disk.Resync.MaxRateKiBPerSecond);
        Assert.Equal(7, disk.Resync.PlanAheadDeciseconds);
        Assert.Equal(1000, disk.ActivityLogExtents);
        Assert.Equal(FencingPolicy.ResourceOnly, disk.Fencing);
    }

    [Theory]
    [InlineData("resync-rate 1", 1)]
    [InlineData("resync-rate 1k", 1)]
    [InlineData("resync-rate 1025s", 513)]
    [InlineData("resync-rate 3M", 3072)]
    [InlineData("resync-rate 4G", 4194304)]
    public void A_letter_makes_bytes_of_a_number_and_is_rounded_up_to_the_scale(string option, int expected) =>
        Assert.Equal(expected, Disk($"disk {{ {option}; }} {Hosts}").Resync.RateKiBPerSecond);

    [Theory]
    [InlineData("disk-flushes;", true)]
    [InlineData("disk-flushes yes;", true)]
    [InlineData("disk-flushes no;", false)]
    [InlineData("no-disk-flushes;", false)]
    public void Booleans(string option, bool expected) =>
        Assert.Equal(expected, Disk($"disk {{ {option} }} {Hosts}").DiskFlushes);

    [Fact]
    public void Old_forms_are_moved_to_where_they_belong()
    {
        ResourceConfiguration r = Read(
            "protocol A; syncer { rate 33M; al-extents 257; verify-alg sha1; use-rle no; } " + Hosts,
            "net { max-buffers 40; no-tcp-cork; delay-probe-volume 3; }");
        Assert.Equal(ReplicationProtocol.A, r.Options.Net.Protocol);
        Assert.Equal(33 * 1024, r.Options.Volumes[0].Disk.Resync.RateKiBPerSecond);
        Assert.Equal(257, r.Options.Volumes[0].Disk.ActivityLogExtents);
        Assert.Equal(DigestAlgorithm.Sha1, r.Options.Net.VerifyAlgorithm);
        Assert.False(r.Options.Net.UseRunLengthEncoding);
        Assert.Equal(40, r.Options.Net.MaxBuffersPages);
    }

    [Fact]
    public void Handlers_keep_their_command_line_and_the_old_name_is_known()
    {
        ResourceConfiguration r = Read(
            "handlers { outdate-peer \"/usr/lib/x.sh \\\"a b\\\"\"; split-brain \"notify\"; } " + Hosts,
            "handlers { split-brain \"other\"; }");
        Assert.Equal("/usr/lib/x.sh \"a b\"", r.Handlers[HandlerKind.FencePeer]);
        Assert.Equal("notify", r.Handlers[HandlerKind.SplitBrain]);
        Assert.Equal(2, r.Handlers.Count);
    }

    [Fact]
    public void After_split_brain_by_host_name_becomes_local_or_remote()
    {
        Assert.Equal(
            AfterSplitBrain.DiscardLocal,
            Read("net { after-sb-0pri discard-node-a; } " + Hosts).Options.Net.AfterSplitBrain0Primaries);
        Assert.Equal(
            AfterSplitBrain.DiscardRemote,
            Read("net { after-sb-0pri discard-node-b; } " + Hosts).Options.Net.AfterSplitBrain0Primaries);
    }

    [Fact]
    public void Included_files_are_read_once_in_sorted_order_and_skip_sections_are_ignored()
    {
        var files = new MemoryFiles
        {
            ["/etc/drbd.conf"] = "include \"d/*.res\"; include \"/etc/d/a.res\"; # again\n",
            ["/etc/d/b.res"] = "resource two { " + Hosts.Replace("7788", "7789").Replace("drbd1", "drbd2")
                .Replace("/dev/s", "/dev/v") + " }",
            ["/etc/d/a.res"] =
                "skip { anything { goes; } \"here\" } skip this { } resource \"one\" { " + Hosts + " }\r\n",
            ["/etc/d/.hidden.res"] = "not read",
            ["/etc/d/other.conf"] = "not read",
        };
        Assert.Equal(["one", "two"], files.Read("a").Resources.Select(resource => resource.Name));
    }

    [Fact]
    public void Wildcards_may_be_in_directories_and_files_are_taken_in_order_of_their_paths()
    {
        var files = new MemoryFiles
        {
            ["/etc/drbd.conf"] = "include \"d/s?te*/[a-b].res\"; include \"d/*/one.res\";",
            ["/etc/d/site2/a.res"] = "common { net { timeout 40; } }",
            ["/etc/d/site1/b.res"] = "resource r { " + Hosts + " }",
            ["/etc/d/site1/c.res"] = "not read",
            ["/etc/d/other/one.res"] = "global { usage-count no; }",
        };
        NodeConfiguration node = files.Read("a");
        Assert.Equal(40, Assert.Single(node.Resources).Options.Net.TimeoutDeciseconds);
        Assert.Equal(["/etc/d/other/one.res:1: the global section should come before the resources."], node.Warnings);
    }

    [Fact]
    public void A_floating_section_is_this_nodes_if_it_has_the_address()
    {
        DrbdConfiguration configuration = DrbdConfiguration.Read("/etc/drbd.conf", MemoryFiles.One(
            """
            resource r { device minor 1; disk /dev/x; meta-disk internal;
                         floating 10.0.0.1:7788; floating ipv6 [fd00::2]:7788; }
            """));
        ResourceConfiguration r = Assert.Single(configuration.ForNode("any", "fd00::2".Equals).Resources);
        Assert.Equal("ipv6 [fd00::2]:7788", r.Own.ToString());
        Assert.Equal("10.0.0.1:7788", r.Peer.Name);
        Assert.Empty(configuration.ForNode("any").Resources);
    }

    [Fact]
    public void Of_equal_options_the_last_counts_but_the_first_where_a_disk_inherits_it()
    {
        ResourceConfiguration r = Read(
            "net { timeout 50; timeout 70; } disk { resync-rate 3M; resync-rate 4M; } " + Hosts);
        Assert.Equal(70, r.Options.Net.TimeoutDeciseconds);
        Assert.Equal(3072, r.Options.Volumes[0].Disk.Resync.RateKiBPerSecond);
    }

    [Fact]
    public void Resync_after_names_a_volume_of_the_same_resource()
    {
        ResourceConfiguration r = Read("""
            on a { address 10.0.0.1:1; volume 0 { device minor 0; disk /dev/a; meta-disk internal; }
                   volume 1 { device minor 1; disk /dev/b; meta-disk internal; disk { resync-after r/0; } } }
            on b { address 10.0.0.2:1; volume 0 { device minor 0; disk /dev/a; meta-disk internal; }
                   volume 1 { device minor 1; disk /dev/b; meta-disk internal; } }
            """);
        Assert.Equal([-1, 0], r.Options.Volumes.Select(volume => volume.Disk.ResyncAfterVolume));
    }

    [Fact]
    public void Al_extents_out_of_range_are_clamped_with_a_warning()
    {
        NodeConfiguration node = MemoryFiles.One("resource r { disk { al-extents 7; } " + Hosts + " }").Read("a");
        Assert.Equal(67, node.Resources[0].Options.Volumes[0].Disk.ActivityLogExtents);
        Assert.Equal(
            "/etc/drbd.conf:1: al-extents 7 => 7 out of range [67..65534]. 67 is used.", Assert.Single(node.Warnings));
    }

    [Fact]
    public void A_resource_without_its_last_brace_is_read_with_a_warning()
    {
        NodeConfiguration node = MemoryFiles.One("resource r { " + Hosts).Read("a");
        Assert.Single(node.Resources);
        Assert.Contains("is not closed by '}'", Assert.Single(node.Warnings));
    }
}
