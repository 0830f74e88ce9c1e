using System.Buffers.Binary;
using System.Diagnostics;
using Xunit;

namespace BlockRepl.Administration.Tests;

/// <summary>create-md, dump-md and the like on disk images.</summary>
public sealed class OfflineTests
{
    private const long Size = 64 << 20;

    [Fact]
    public async Task New_meta_data_are_what_debians_tool_reads_and_the_data_stay()
    {
        await using Disk disk = await Disk.CreateAsync();
        disk.Fill(1 << 20, 0x5A);
        (int exit, string output, string errors) = await disk.RunAsync("create-md", "r0");
        Assert.Equal(
            (0, "initializing activity log\nWriting meta data...\nNew drbd meta data block successfully created.\n"),
            (exit, output));
        Assert.Equal("initializing bitmap (4 KB) to all zero\n", errors);
        Assert.Equal(0x5A, disk.ReadByte(1 << 20));
        Assert.Equal(
            "0000000000000004:0000000000000000:0000000000000000:0000000000000000:0:0:0:0:0:0:0\n",
            (await disk.RunAsync("get-gi", "r0/0")).Output);
        (_, string dump, _) = await disk.RunAsync("dump-md", "r0");
        Assert.StartsWith("# DRBD meta data dump\n#\n\nversion \"v08\";\n", dump);
        Assert.SkipUnless(
            File.Exists("/usr/sbin/drbdmeta") || File.Exists("/sbin/drbdmeta"), "drbdmeta is not installed");
        Assert.Equal(Interesting(dump), Interesting(Drbdmeta(disk.Path, "dump-md")));
        Assert.Equal((await disk.RunAsync("get-gi", "r0")).Output, Drbdmeta(disk.Path, "get-gi"));
    }

    [Fact]
    public async Task What_is_there_is_not_destroyed_unasked()
    {
        await using Disk disk = await Disk.CreateAsync();
        await disk.RunAsync("create-md", "r0");
        (int exit, _, string errors) = await disk.RunAsync("create-md", "r0");
        Assert.Equal(1, exit);
        Assert.Contains("has v08 meta data at byte 67104768", errors);
        Assert.Contains("Cancelled", errors);
        Assert.Equal(0, (await disk.RunAsync("create-md", "r0", "--force")).Exit);
        disk.Fill(0, 0x11);
        Assert.Equal(1, (await disk.RunAsync("create-md", "r0")).Exit);
    }

    [Fact]
    public async Task The_word_yes_confirms_and_nothing_else_does()
    {
        await using Disk disk = await Disk.CreateAsync();
        disk.Fill(0, 0x11);
        disk.Input = new StringReader("y\n");
        Assert.Equal(1, (await disk.RunAsync("create-md", "r0")).Exit);
        disk.Input = new StringReader("yes\n");
        Assert.Equal(0, (await disk.RunAsync("create-md", "r0")).Exit);
    }

    [Fact]
    public async Task A_file_system_that_would_lose_its_end_is_refused_even_with_force()
    {
        await using Disk disk = await Disk.CreateAsync();
        disk.WriteExt((uint)(Size / 1024));
        (int exit, _, string errors) = await disk.RunAsync("create-md", "--force", "r0");
        Assert.Equal(40, exit);
        Assert.Contains("its end would be destroyed", errors);
        disk.WriteExt(1024);
        Assert.Equal(1, (await disk.RunAsync("create-md", "r0")).Exit);
        Assert.Equal(0, (await disk.RunAsync("create-md", "--force", "r0")).Exit);
        Assert.Equal(0x53, disk.ReadByte(1080));
    }

    [Fact]
    public async Task Offline_states_can_be_read_and_changed()
    {
        await using Disk disk = await Disk.CreateAsync();
        await disk.RunAsync("create-md", "r0");
        Assert.Equal("Inconsistent\n", (await disk.RunAsync("dstate", "r0")).Output);
        Assert.Equal(5, (await disk.RunAsync("outdate", "r0")).Exit);
        Assert.Equal(0, (await disk.RunAsync("invalidate", "r0")).Exit);
        Assert.EndsWith(":0:0:0:0:1:0:0\n", (await disk.RunAsync("get-gi", "r0")).Output);
        Assert.Equal((0, "", ""), await disk.RunAsync("apply-al", "r0"));
        Assert.Contains("meta-data: clean\nzero size device", (await disk.RunAsync("show-gi", "r0")).Output);
        Assert.Equal(1, (await disk.RunAsync("wipe-md", "r0")).Exit);
        Assert.Equal(0, (await disk.RunAsync("wipe-md", "--force", "r0")).Exit);
        (int exit, _, string errors) = await disk.RunAsync("dump-md", "r0");
        Assert.Equal(10, exit);
        Assert.Contains("r0/0: Failure: (119) no valid meta data", errors);
    }

    [Fact]
    public async Task Impossible_wishes_and_missing_disks_have_reasons()
    {
        await using Disk disk = await Disk.CreateAsync();
        (int exit, _, string errors) = await disk.RunAsync("create-md", "r0", "--al-stripes", "0");
        Assert.Equal(20, exit);
        Assert.Contains("not possible", errors);
        Assert.Equal(1, (await disk.RunAsync("create-md", "r0", "--peer-max-bio-size", "1048577")).Exit);
        Assert.Equal(1, (await disk.RunAsync("create-md", "r9")).Exit);
        Assert.Equal(1, (await disk.RunAsync("create-md", "r0/9")).Exit);
        File.Delete(disk.Path);
        Assert.Equal(20, (await disk.RunAsync("create-md", "r0")).Exit);
    }

    [Fact]
    public async Task A_disk_that_the_daemon_has_attached_is_left_alone()
    {
        await using Disk disk = await Disk.CreateAsync();
        await disk.RunAsync("create-md", "r0");
        await disk.Node.RunAsync("up", "r0");
        (int exit, _, string errors) = await disk.RunAsync("create-md", "r0", "--force");
        Assert.Equal(20, exit);
        Assert.Contains("Device '0' is configured!", errors);
        Assert.Equal(0, (await disk.RunAsync("dump-md", "r0")).Exit);
    }

    /// <summary>
    /// The lines without what names the time, the command and the place, and without the tool's flags, which are always
    /// 0.
    /// </summary>
    private static string[] Interesting(string dump) =>
    [
        .. dump.Split('\n')
            .SkipWhile(line => !line.StartsWith("version", StringComparison.Ordinal))
            .Where(line => !line.Contains("flags 0x", StringComparison.Ordinal)),
    ];

    private static string Drbdmeta(string path, string command)
    {
        // Debian's, not the one of ours that is beside this program.
        var start = new ProcessStartInfo("/usr/sbin/drbdmeta")
        {
            RedirectStandardOutput = true, RedirectStandardError = true,
        };
        foreach (string argument in new[] { "--force", "-", "v08", path, "internal", command })
        {
            start.ArgumentList.Add(argument);
        }

        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, errors.Result);
        return output;
    }

    /// <summary>A node with one resource on a disk image.</summary>
    private sealed class Disk : IAsyncDisposable
    {
        private Disk(TestNode node, string path)
        {
            Node = node;
            Path = path;
        }

        public TestNode Node { get; }

        public string Path { get; }

        public TextReader? Input { get; set; }

        public static async Task<Disk> CreateAsync()
        {
            string path = System.IO.Path.GetTempFileName();
            using (FileStream file = File.OpenWrite(path))
            {
                file.SetLength(Size);
            }

            TestNode node = await TestNode.StartAsync($$"""
                resource r0 {
                  device minor 0; disk "{{path}}"; meta-disk internal;
                  on a { address 127.0.0.1:7788; } on b { address 127.0.0.2:7788; }
                }
                """);
            return new Disk(node, path);
        }

        public Task<(int Exit, string Output, string Errors)> RunAsync(params string[] arguments) =>
            Node.RunAsync(Input, arguments);

        public void Fill(long offset, byte value)
        {
            using FileStream file = File.OpenWrite(Path);
            file.Position = offset;
            file.WriteByte(value);
        }

        public int ReadByte(long offset)
        {
            using FileStream file = File.OpenRead(Path);
            file.Position = offset;
            return file.ReadByte();
        }

        /// <summary>As much of a superblock of ext2 as is looked at.</summary>
        public void WriteExt(uint blocksOf1KiB)
        {
            byte[] start = new byte[2048];
            BinaryPrimitives.WriteUInt32LittleEndian(start.AsSpan(1028), blocksOf1KiB);
            BinaryPrimitives.WriteUInt16LittleEndian(start.AsSpan(1080), 0xEF53);
            using FileStream file = File.OpenWrite(Path);
            file.Write(start);
        }

        public async ValueTask DisposeAsync()
        {
            await Node.DisposeAsync();
            File.Delete(Path);
        }
    }
}
