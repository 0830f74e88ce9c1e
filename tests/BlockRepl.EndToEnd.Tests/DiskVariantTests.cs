using BlockRepl.Nodes;
using Xunit;

namespace BlockRepl.EndToEnd.Tests;

/// <summary>Block devices instead of files, with both sizes of logical block.</summary>
public sealed class DiskVariantTests
{
    [Theory]
    [InlineData(512)]
    [InlineData(4096)]
    public void Loop_devices_are_replicated(int logicalBlockBytes)
    {
        Need.Root("loop devices");
        Need.Program("losetup", "mount");
        Need.Program("fio", "fio");
        var loops = new List<string>();
        try
        {
            var options =
                new TwoNodesOptions { DiskPath = (_, folder) => CreateLoop(folder, logicalBlockBytes, loops) };
            using TwoNodes nodes = TwoNodes.Connected(options);
            ToolResult fio = Clients.Fio(
                nodes.Left, "bs=4k", "iodepth=16", "rw=randwrite", "size=32M", "verify=crc32c", "verify_fatal=1",
                "randseed=41");
            Assert.True(fio.Succeeded, fio.Everything);
            Assert.True(nodes.DisksAreEqual(nodes.Down(nodes.Left, nodes.Right)));
        }
        finally
        {
            loops.ForEach(loop => Tool.Run("losetup", "--detach", loop));
        }
    }

    private static string CreateLoop(string folder, int logicalBlockBytes, List<string> loops)
    {
        string path = Path.Combine(folder, "backing");
        using (FileStream file = File.Create(path))
        {
            file.SetLength(64 << 20);
        }

        ToolResult made = Tool.Run(
            "losetup", "--find", "--show", "--direct-io=on", "--sector-size",
            logicalBlockBytes.ToString(System.Globalization.CultureInfo.InvariantCulture), path);
        if (!made.Succeeded)
        {
            Assert.Skip("no loop device here: " + made.Error.Trim());
        }

        loops.Add(made.Output.Trim());
        return loops[^1];
    }
}
