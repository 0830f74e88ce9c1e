using BlockRepl.Nodes;
using Xunit;

namespace BlockRepl.EndToEnd.Tests;

/// <summary>
/// A disk that fails: a sparse file on a file system that is smaller than the file, so that writing it full ends in an
/// error.
/// </summary>
public sealed class DiskErrorTests
{
    private const int FileBytes = 48 << 20;

    [Theory]
    [InlineData("left")]
    [InlineData("right")]
    public void A_failing_disk_is_detached_and_the_application_sees_no_error(string failing)
    {
        Need.Root("mounting a small file system");
        Need.Program("nbdcopy", "libnbd-bin");
        var mounts = new List<string>();
        try
        {
            var options = new TwoNodesOptions
            {
                Disk = "on-io-error detach;",
                DiskPath = (name, folder) => CreateDisk(folder, name == failing, mounts),
            };
            using TwoNodes nodes = TwoNodes.Connected(options, synced: false);
            nodes.Left.Command("new-current-uuid", "--clear-bitmap", "r0");
            nodes.WaitInSync();
            nodes.Left.Command("primary", "r0");
            string file = Clients.RandomFile(nodes.Folder, "content", FileBytes, seed: 91);

            Clients.CopyIn(file, nodes.Left);

            Node bad = failing == "left" ? nodes.Left : nodes.Right;
            bad.WaitFor(v => v.Disk is "Diskless" or "Failed", "the disk to be given up");
            Assert.Equal(Clients.HashOfFile(file), Clients.HashOfDevice(nodes.Left, FileBytes));
        }
        finally
        {
            foreach (string mount in mounts)
            {
                Tool.Run("umount", "--lazy", mount);
                Directory.Delete(mount);
            }
        }
    }

    private static string CreateDisk(string folder, bool small, List<string> mounts)
    {
        if (small)
        {
            folder = Directory.CreateTempSubdirectory("blockrepl-small-").FullName;
            ToolResult mounted = Tool.Run("mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", folder);
            if (!mounted.Succeeded)
            {
                Assert.Skip("cannot mount a tmpfs here: " + mounted.Error.Trim());
            }

            mounts.Add(folder);
        }

        string path = Path.Combine(folder, "disk");
        using FileStream file = File.Create(path);
        file.SetLength(64 << 20);
        return path;
    }
}
