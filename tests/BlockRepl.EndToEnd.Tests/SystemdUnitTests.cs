using BlockRepl.Nodes;
using Xunit;

namespace BlockRepl.EndToEnd.Tests;

/// <summary>The units that come with the daemon are what systemd understands.</summary>
public sealed class SystemdUnitTests
{
    [Fact]
    public void Systemd_finds_nothing_wrong_with_the_units()
    {
        Need.Program("systemd-analyze", "systemd");
        string folder = Directory.CreateTempSubdirectory("blockrepl-units-").FullName;
        try
        {
            string units = Path.Combine(Programs.RepositoryRoot, "src", "BlockRepl.Daemon", "Systemd");
            foreach (string unit in Directory.GetFiles(units))
            {
                // Systemd looks whether the programs are there, which they are only where the build put them.
                string text = File.ReadAllText(unit)
                    .Replace("/usr/sbin/blockrepld", Programs.Daemon, StringComparison.Ordinal)
                    .Replace("/usr/sbin/blockrepl ", Programs.Commands + " ", StringComparison.Ordinal)
                    .Replace("/usr/lib/blockrepl/sbd", Programs.Commands, StringComparison.Ordinal)
                    .Replace("/usr/lib/blockrepl/drbdadm", Programs.Commands, StringComparison.Ordinal);
                File.WriteAllText(Path.Combine(folder, Path.GetFileName(unit)), text);
            }

            string[] copies = Directory.GetFiles(folder);
            Assert.Equal(5, copies.Length);
            ToolResult result = Tool.Run("systemd-analyze", ["verify", "--man=no", .. copies]).OrThrow();
            Assert.Equal("", result.Output + result.Error);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }
}
