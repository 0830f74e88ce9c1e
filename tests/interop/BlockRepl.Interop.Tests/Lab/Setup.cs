namespace BlockRepl.Interop.Tests;

/// <summary>Who plays the part that a script calls "primary".</summary>
public enum Side
{
    BlockRepl,
    Kernel,
}

/// <summary>The two configurations that every script runs under.</summary>
public enum Setup
{
    /// <summary>
    /// A cluster of two small boards: protocol B, md5 on the wire, no flushes to SD cards, a large activity log.
    /// </summary>
    Boards,

    /// <summary>Protocol C with all of DRBD's flushes.</summary>
    Careful,

    /// <summary>Only what a script says; not one of the two.</summary>
    Bare,
}

/// <summary>Makes the drbd.conf of a pair.</summary>
internal sealed record Configuration
{
    public required Setup Setup { get; init; }

    /// <summary>Time-outs with which a silent peer is found in about 4 s.</summary>
    public const string QuickToNotice = "ping-int 2; timeout 19; connect-int 2;";

    /// <summary>More options of the net section.</summary>
    public string Net { get; init; } = "";

    /// <summary>More options of the disk section.</summary>
    public string Disk { get; init; } = "";

    /// <summary>More sections of the resource.</summary>
    public string Sections { get; init; } = "";

    /// <summary>Index of the backing disk of volume 0, see <see cref="Disks"/>.</summary>
    public int BackingDisk { get; init; } = Disks.Small;

    /// <summary>Our backing disk of volume 0, where it is another.</summary>
    public int? OurBackingDisk { get; init; }

    /// <summary>Backing disk of volume 1; null: there is one volume only.</summary>
    public int? SecondVolumeDisk { get; init; }

    /// <summary>Which disk holds the meta data, at index 0; null: internal.</summary>
    public int? MetaDisk { get; init; }

    public bool InternetProtocol6 { get; init; }

    /// <summary>Our first disk can be made to fail; the guest's always can.</summary>
    public bool DisksCanFail { get; init; }

    public string OnIoError { get; init; } = "detach";

    /// <summary>Whether data are sent without a digest; only then P_ZEROES may be.</summary>
    public bool WithoutDigest { get; init; }

    /// <summary>Stands for <see cref="Host.HandlerRecord"/>, which each bench has its own of.</summary>
    private const string HandlerRecord = "HANDLER-RECORD";

    /// <summary>A handlers section in which each of these writes its name to the node's record of them.</summary>
    public static string RecordHandlers(params string[] handlers) =>
        "handlers { " + string.Concat(handlers.Select(h => $"{h} \"echo {h} >>{HandlerRecord}\"; ")) + "}";

    /// <summary>As <see cref="RecordHandlers"/>, for fence-peer, which answers, and unfence-peer.</summary>
    public static string RecordFencing(int answer) =>
        $"handlers {{ fence-peer \"echo fence-peer >>{HandlerRecord}; exit {answer}\"; "
        + $"unfence-peer \"echo unfence-peer >>{HandlerRecord}\"; }}";

    /// <summary>The same text for both nodes.</summary>
    public string Text(Host blockRepl, Host kernel) =>
        $$"""
        global { usage-count no; }
        {{Common()}}
        resource r0 {
            net {
                {{ResourceNet()}}
                {{Net}}
            }
            disk {
                {{ResourceDisk()}}
                {{Disk}}
            }
            {{Sections.Replace(HandlerRecord, blockRepl.HandlerRecord, StringComparison.Ordinal)}}
            on blockrepl {
                {{Volumes(blockRepl.DiskPath, OurBackingDisk ?? BackingDisk)}}
                address {{Address(NetworkSegment.OurAddress, NetworkSegment.OurAddress6)}};
            }
            on kernel {
                {{Volumes(kernel.DiskPath, BackingDisk)}}
                address {{Address(NetworkSegment.KernelAddress, NetworkSegment.KernelAddress6)}};
            }
        }
        """;

    private string Volumes(Func<int, string> path, int first)
    {
        string meta = MetaDisk is { } disk ? path(disk) + "[0]" : "internal";
        string one = $"device /dev/drbd0; disk {path(first)}; meta-disk {meta};";
        return SecondVolumeDisk is { } second
            ? $"volume 0 {{ {one} }} volume 1 {{ device /dev/drbd1; disk {path(second)}; meta-disk internal; }}"
            : one;
    }

    private string Common() => Setup switch
    {
        Setup.Boards =>
            """
            common {
                startup { wfc-timeout 300; degr-wfc-timeout 120; outdated-wfc-timeout 120; }
                options { on-no-data-accessible io-error; }
                disk { c-fill-target 100M; c-max-rate 1100M; c-plan-ahead 25; c-min-rate 40M; }
                net {
                    protocol B;
                    after-sb-0pri discard-younger-primary;
                    after-sb-1pri discard-secondary;
                    after-sb-2pri disconnect;
                }
            }
            """,
        Setup.Careful => "common { net { protocol C; } disk { c-max-rate 400M; c-min-rate 0; } }",
        _ => "common { disk { c-max-rate 400M; c-min-rate 0; } }",
    };

    /// <summary>
    /// The guest is slow and shares its processor: it gets 2 s for an answer instead of half a second. Both also wait
    /// that long at each connection, to see whether its two streams last.
    /// </summary>
    private string ResourceNet() =>
        (Setup == Setup.Boards ? "sndbuf-size 2048k; rcvbuf-size 1024k; max-buffers 36k; " : "")
        + (WithoutDigest ? "" : "data-integrity-alg md5; ") + "verify-alg md5; ping-timeout 20;";

    private string ResourceDisk() =>
        (Setup == Setup.Boards ? "disk-flushes no; md-flushes no; disk-barrier no; al-extents 3389; " : "")
        + $"on-io-error {OnIoError};";

    private string Address(string v4, string v6) => InternetProtocol6 ? $"ipv6 [{v6}]:7788" : v4 + ":7788";
}
