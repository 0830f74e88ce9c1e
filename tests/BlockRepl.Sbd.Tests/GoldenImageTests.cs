using System.IO.Compression;
using System.Text;
using Xunit;

namespace BlockRepl.Sbd.Tests;

/// <summary>Devices that ClusterLabs' sbd has written: tests/golden/sbd.</summary>
public sealed class GoldenImageTests
{
    public static TheoryData<string> Images =>
        ["default", "timeouts", "two-nodes-reset", "default-4096", "all-messages"];

    [Theory]
    [MemberData(nameof(Images))]
    public void The_header_says_what_the_original_dumps(string folder)
    {
        var header = Open(folder).Open().Header!;
        string[] expected =
        [
            $"Header version     : 2.{header.MinorVersion}",
            $"UUID               : {header.Uuid}",
            $"Number of slots    : {header.SlotCount}",
            $"Sector size        : {header.SectorSize}",
            $"Timeout (watchdog) : {header.Timeouts.Watchdog}",
            $"Timeout (allocate) : {header.Timeouts.Allocate}",
            $"Timeout (loop)     : {header.Timeouts.Loop}",
            $"Timeout (msgwait)  : {header.Timeouts.MessageWait}",
        ];
        Assert.Equal(File.ReadAllLines(PathOf(folder, "dump.txt"))[1..^1], expected);
    }

    [Theory]
    [MemberData(nameof(Images))]
    public void The_slots_are_what_the_original_lists(string folder) =>
        Assert.Equal(File.ReadAllText(PathOf(folder, "list.txt")), List(Open(folder)));

    [Theory]
    [MemberData(nameof(Images))]
    public void The_same_header_slots_and_messages_written_anew_are_the_same_bytes(string folder)
    {
        var golden = Open(folder);
        var header = golden.Open().Header!;
        var made = new MemoryDevice(header.SectorSize, golden.Bytes.Length / header.SectorSize);
        made.Run(new SlotTable(made.Exchange).Create(header));
        golden.Run(new SlotTable(golden.Exchange)
        {
            Header = header,
            Listed = (slot, owner, mailbox) =>
            {
                NodeSlot.Write(made.Sector(SlotLayout.SlotSector(slot)), owner.Name);
                Mailbox.Write(made.Sector(SlotLayout.MailboxSector(slot)), mailbox.Message, mailbox.Sender);
            },
        }.List());
        Assert.True(golden.Bytes.AsSpan().SequenceEqual(made.Bytes));
    }

    [Fact]
    public void Allocating_and_sending_as_the_original_did_makes_the_same_device()
    {
        var golden = Open("two-nodes-reset");
        var made = new MemoryDevice(512, golden.Bytes.Length / 512);
        made.Run(new SlotTable(made.Exchange).Create(golden.Open().Header!));
        var table = made.Open();
        var (first, second) = (NodeName.FromText("ehjb.rothirsch.tech"), NodeName.FromText("ehjc.rothirsch.tech"));
        made.Run(table.Allocate(first));
        made.Run(table.Allocate(second));
        made.Run(table.Send(second, Message.Reset, first));
        Assert.Equal(SlotOutcome.Done, table.Outcome);
        Assert.True(golden.Bytes.AsSpan().SequenceEqual(made.Bytes));
    }

    private static string List(MemoryDevice device)
    {
        var text = new StringBuilder();
        device.Run(new SlotTable(device.Exchange)
        {
            Header = device.Open().Header,
            Listed = (slot, owner, mailbox) =>
                text.Append($"{slot}\t{owner.Name}\t{mailbox.Message.Word()}\t{mailbox.Sender}\n"),
        }.List());
        return text.ToString();
    }

    private static MemoryDevice Open(string folder)
    {
        using var packed = new GZipStream(File.OpenRead(PathOf(folder, "lun.img.gz")), CompressionMode.Decompress);
        var image = new MemoryStream();
        packed.CopyTo(image);
        return MemoryDevice.FromImage(image.ToArray(), folder.EndsWith("4096", StringComparison.Ordinal) ? 4096 : 512);
    }

    private static string PathOf(string folder, string file)
    {
        var top = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(top!.FullName, "BlockRepl.sln")))
        {
            top = top.Parent;
        }

        return Path.Combine(top.FullName, "tests", "golden", "sbd", folder, file);
    }
}
