using System.Diagnostics;
using System.IO.Compression;
using Xunit;

namespace BlockRepl.Administration.Tests;

/// <summary>drbdmeta on disk images, beside Debian's where it is installed.</summary>
public sealed class MetaDataToolTests
{
    private const string Debian = "/usr/sbin/drbdmeta";
    private const long Size = 64 << 20;

    private const string Dump = """
        version "v08"; # a comment
        uuid { 0x1122334455667788; 0x99AABBCCDDEEFF00; 0x0000000000000003; 0x0000000000000004; flags 0x00000093; }
        la-size-sect 100000;
        bm-byte-per-bit 4096;
        device-uuid 0x0000000000ABCDEF;
        la-peer-max-bio-size 4096;
        al-stripes 1;
        al-stripe-size-4k 8;
        bm {
          0x0000000000000001; 0xFFFFFFFFFFFFFFFF; 300 times 0xAAAAAAAAAAAAAAAA;
          210 times 0x0000000000000000;
        }
        """;

    [Fact]
    public async Task A_dump_is_restored_as_debians_tool_does_it()
    {
        NeedDebian();
        await using Disk ours = await Disk.CreateAsync(), theirs = await Disk.CreateAsync();
        string file = ours.Write("dump", Dump);
        Assert.Equal((0, "Successfully restored meta data\n"), await ours.RunAsync("--force", "restore-md", file));
        await theirs.DebianAsync("restore-md", file);
        Assert.Equal(
            Facts((await theirs.DebianAsync("dump-md")).Output), Facts((await ours.DebianAsync("dump-md")).Output));
        Assert.Equal(
            (0, "1122334455667788:99AABBCCDDEEFF00:0000000000000003:0000000000000004:1:1:1:0:0:0:0\n"),
            await ours.RunAsync("get-gi"));
        Assert.Equal((await theirs.DebianAsync("get-gi")).Output, (await ours.RunAsync("get-gi")).Output);

        // What it prints it takes again.
        string again = ours.Write("again", (await ours.RunAsync("dump-md")).Output);
        Assert.Equal((0, "input file parsed ok\n"), await theirs.RunAsync("verify-dump", again));
        await theirs.RunAsync("--force", "wipe-md");
        Assert.Equal(0, (await theirs.RunAsync("--force", "restore-md", again)).Exit);
        Assert.Equal((await ours.RunAsync("dump-md")).Output, (await theirs.RunAsync("dump-md")).Output);
    }

    [Theory]
    [InlineData("\"v08\"", "\"v09\"", "line 1: the dump is of \"v09\"")]
    [InlineData("uuid {", "This_is_an_unclean_meta_data_dump._Don't_trust_the_bitmap.\nuuid {", "run apply-al")]
    [InlineData("la-size-sect 100000;", "", "line 4: 'la-size-sect' expected, found 'bm-byte-per-bit'")]
    [InlineData("0x1122334455667788", "0x112233", "line 2: a hexadecimal number of 16 digits expected")]
    [InlineData("flags 0x00000093;", "flags 0x00000093", "line 2: ';' expected, found '}'")]
    [InlineData("per-bit 4096", "per-bit x", "line 4: a number")]
    [InlineData("}\n", "}", "")]
    [InlineData("300 times", "300 tmes", "line 10: 'times' expected")]
    public async Task A_text_that_is_no_dump_is_refused_with_its_line(string what, string instead, string words)
    {
        await using Disk disk = await Disk.CreateAsync();
        string before = (await disk.RunAsync("dump-md")).Output;
        string text = words.Length == 0 ? Dump.TrimEnd('}', '\n') : Dump.Replace(what, instead);
        string file = disk.Write("dump", text);
        (int exit, string output, string errors) = await disk.Node.ToolAsync(
            "drbdmeta", "--force", "0", "v08", disk.Path, "internal", "restore-md", file);
        Assert.Equal((10, ""), (exit, output));
        Assert.Contains(words, errors);
        Assert.Equal(before, (await disk.RunAsync("dump-md")).Output);
        if (File.Exists(Debian))
        {
            Assert.Equal(exit, (await disk.DebianAsync("restore-md", file)).Exit);
        }
    }

    [Theory]
    [InlineData("100000;", "131072;", "more than fits here, 130992")]
    [InlineData("210 times", "211 times", "bm is longer than")]
    [InlineData("210 times 0x0000000000000000;", "", "")]
    [InlineData("300 times", "30 times", "")]
    [InlineData("300 times 0xAAAAAAAAAAAAAAAA;\n  210 times 0x0000000000000000;", "", "bm has 2 words")]
    [InlineData("al-stripes 1", "al-stripes 4294967295", "not possible")]
    public async Task A_dump_that_does_not_fit_is_refused(string what, string instead, string words)
    {
        await using Disk disk = await Disk.CreateAsync();
        string file = disk.Write("dump", Dump.Replace(what, instead));
        (int exit, _, string errors) = await disk.Node.ToolAsync(
            "drbdmeta", "0", "v08", disk.Path, "internal", "verify-dump", file);
        Assert.Equal(words.Length == 0 ? 0 : 10, exit);
        Assert.Contains(words, errors);
    }

    [Theory]
    [InlineData("1234567890ABCDEE:0:1111111111111110:0:1:1")]
    [InlineData("::5")]
    [InlineData("1:2:3:4:1:0:1:0:1:1:1")]
    [InlineData("xyz")]
    [InlineData("1234567890ABCDEEFF")]
    public async Task Set_gi_is_debians(string words)
    {
        NeedDebian();
        await using Disk ours = await Disk.CreateAsync(), theirs = await Disk.CreateAsync();
        (int exit, string output) = await ours.RunAsync("--force", "set-gi", words);
        (int debianExit, string debianOutput) = await theirs.DebianAsync("set-gi", words);
        Assert.Equal((debianExit, debianOutput), (exit, output));
        Assert.Equal(await theirs.DebianAsync("get-gi"), await ours.DebianAsync("get-gi"));
    }

    [Fact]
    public async Task Set_gi_is_a_command_of_drbdadm_that_asks()
    {
        await using Disk disk = await Disk.CreateAsync();
        Assert.Equal(1, (await disk.Node.ToolAsync("drbdadm", "--", "5:6", "set-gi", "r0")).Exit);
        Assert.StartsWith("0000000000000004:0000000000000000:", (await disk.RunAsync("get-gi")).Output);
        Assert.Equal(0, (await disk.Node.ToolAsync("drbdadm", "--", "--force", "5:6", "set-gi", "r0")).Exit);
        Assert.StartsWith("0000000000000005:0000000000000006:", (await disk.RunAsync("get-gi")).Output);
        Assert.Equal(20, (await disk.Node.ToolAsync("drbdadm", "set-gi", "r0")).Exit);
    }

    [Fact]
    public async Task Meta_data_of_a_disk_that_grew_go_to_its_end_with_the_bitmap_and_the_log()
    {
        await using Disk disk = await Disk.CreateAsync();
        Assert.Equal($"{Size}\t{disk.Path}", File.ReadLines(disk.Node.Location.LastKnownDiskPath(0)).First());
        byte[] crashed = Golden("06-internal-64MiB-crashed-primary-before.part.gz");
        disk.Write(Size - crashed.Length, crashed);
        await File.WriteAllTextAsync(
            disk.Node.Location.LastKnownDiskPath(0), $"{Size}\t{disk.Path}\n", TestContext.Current.CancellationToken);
        disk.Resize(Size + (32 << 20));

        Assert.Equal(10, (await disk.RunAsync("dump-md")).Exit);
        (int exit, string output, string errors) = await disk.Node.ToolAsync("drbdadm", "check-resize", "r0");
        Assert.Equal((0, ""), (exit, errors));
        Assert.EndsWith("\nInternal drbd meta data successfully moved.\n", output);

        string wanted = await File.ReadAllTextAsync(
            GoldenPath("06-internal-64MiB-crashed-primary-after-apply-al.dump-md.txt"),
            TestContext.Current.CancellationToken);
        Assert.Equal(Bitmap(wanted), Bitmap((await disk.RunAsync("dump-md")).Output));
        Assert.StartsWith("1234567890ABCDE1:", (await disk.RunAsync("get-gi")).Output);
        Assert.Equal("96 MiB", $"{LastKnown(disk) >> 20} MiB");
        Assert.All(disk.Read(Size - 4096, 4096), one => Assert.Equal(0, one));
        Assert.Equal((0, "", ""), await disk.Node.ToolAsync("drbdadm", "check-resize", "r0"));
        if (File.Exists(Debian))
        {
            Assert.Equal(Bitmap(wanted), Bitmap((await disk.DebianAsync("dump-md")).Output));
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("67108864\t/dev/x\nuuid:\t0000000000000001\n")]
    [InlineData("33554432\t/dev/x\n")]
    [InlineData("134217728\t/dev/x\n")]
    [InlineData("x\t/dev/x\n")]
    [InlineData("512\t/dev/x\n")]
    public async Task Meta_data_that_are_not_where_the_disk_ended_are_not_invented(string remembered)
    {
        await using Disk disk = await Disk.CreateAsync();
        await File.WriteAllTextAsync(
            disk.Node.Location.LastKnownDiskPath(0), remembered, TestContext.Current.CancellationToken);
        disk.Resize(Size + (32 << 20));
        (int exit, _, string errors) = await disk.Node.ToolAsync("drbdadm", "check-resize", "r0");
        Assert.Equal(1, exit);
        Assert.Contains("no valid meta data at byte 100659200", errors);
        Assert.All(disk.Read(Size, 4096), one => Assert.Equal(0, one));
    }

    [Fact]
    public async Task The_size_of_a_disk_in_use_is_remembered_after_a_resize()
    {
        await using Disk disk = await Disk.CreateAsync();
        Assert.Equal((0, "", ""), await disk.Node.ToolAsync("drbdadm", "up", "r0"));
        disk.Resize(Size + (32 << 20));
        disk.Node.Resources.All["r0"].Refusals[typeof(Core.AdminCommand.Resize)] = new Core.CommandResult(131, "");
        Assert.Equal(10, (await disk.Node.ToolAsync("drbdadm", "resize", "r0")).Exit);
        Assert.Equal((0, "", ""), await disk.Node.ToolAsync("drbdadm", "check-resize", "r0"));
        Assert.Equal(Size, LastKnown(disk));
        disk.Node.Resources.All["r0"].Refusals.Clear();
        Assert.Equal((0, "", ""), await disk.Node.ToolAsync("drbdadm", "resize", "r0"));
        Assert.Equal(Size + (32 << 20), LastKnown(disk));
    }

    private static long LastKnown(Disk disk) => long.Parse(
        File.ReadLines(disk.Node.Location.LastKnownDiskPath(0)).First().Split('\t')[0],
        System.Globalization.CultureInfo.InvariantCulture);

    private static void NeedDebian() =>
        Assert.SkipUnless(File.Exists(Debian), $"needs {Debian} (Debian package drbd-utils)");

    private static string[] Facts(string dump) =>
        [.. dump.Split('\n').SkipWhile(line => !line.StartsWith("version", StringComparison.Ordinal))];

    private static string Bitmap(string dump) => dump[dump.IndexOf("bm {", StringComparison.Ordinal)..];

    private static string GoldenPath(string name) =>
        Path.Combine(AppContext.BaseDirectory, "golden", "metadata", name);

    private static byte[] Golden(string name)
    {
        using var zipped = new GZipStream(File.OpenRead(GoldenPath(name)), CompressionMode.Decompress);
        using var bytes = new MemoryStream();
        zipped.CopyTo(bytes);
        return bytes.ToArray();
    }

    /// <summary>A node with one resource on a disk image that has fresh meta data.</summary>
    private sealed class Disk(DirectoryInfo folder, TestNode node) : IAsyncDisposable
    {
        public TestNode Node => node;

        public string Path => PathIn(folder);

        public static async Task<Disk> CreateAsync()
        {
            DirectoryInfo folder = Directory.CreateTempSubdirectory("br");
            var disk = new Disk(folder, await TestNode.StartAsync($$"""
                resource r0 {
                  device minor 0; disk "{{PathIn(folder)}}"; meta-disk internal;
                  on a { address 127.0.0.1:7788; } on b { address 127.0.0.2:7788; }
                }
                """));
            disk.Resize(Size);
            Assert.Equal(0, (await disk.RunAsync("create-md")).Exit);
            return disk;
        }

        public async Task<(int Exit, string Output)> RunAsync(params string[] arguments)
        {
            string[] options = [.. arguments.Where(word => word.StartsWith("--", StringComparison.Ordinal))];
            (int exit, string output, _) = await Node.ToolAsync(
                "drbdmeta", [.. options, "0", "v08", Path, "internal", .. arguments.Except(options)]);
            return (exit, output);
        }

        /// <summary>Debian's drbdmeta; no minor, so that it remembers no size.</summary>
        public async Task<(int Exit, string Output)> DebianAsync(params string[] arguments)
        {
            var start = new ProcessStartInfo(Debian, ["--force", "-", "v08", Path, "internal", .. arguments])
            {
                RedirectStandardOutput = true, RedirectStandardError = true,
            };
            using Process process = Process.Start(start)!;
            Task<string> errors = process.StandardError.ReadToEndAsync();
            string output = await process.StandardOutput.ReadToEndAsync();
            await process.WaitForExitAsync();
            await errors;
            return (process.ExitCode, output);
        }

        public string Write(string name, string text)
        {
            string path = System.IO.Path.Combine(folder.FullName, name);
            File.WriteAllText(path, text);
            return path;
        }

        public void Write(long offset, byte[] bytes)
        {
            using FileStream file = File.OpenWrite(Path);
            file.Position = offset;
            file.Write(bytes);
        }

        public byte[] Read(long offset, int count)
        {
            using FileStream file = File.OpenRead(Path);
            file.Position = offset;
            var bytes = new byte[count];
            file.ReadExactly(bytes);
            return bytes;
        }

        public void Resize(long bytes)
        {
            using FileStream file = File.Open(Path, FileMode.OpenOrCreate);
            file.SetLength(bytes);
        }

        public async ValueTask DisposeAsync()
        {
            await node.DisposeAsync();
            folder.Delete(recursive: true);
        }

        private static string PathIn(DirectoryInfo folder) => System.IO.Path.Combine(folder.FullName, "disk");
    }
}
