using System.Diagnostics;
using Xunit;

namespace BlockRepl.Administration.Tests;

/// <summary>drbdadm --dry-run beside Debian's drbdadm of 8.4, on the same configuration.</summary>
public sealed class DryRunTests
{
    private const string Debian = "/usr/lib/drbd/drbdadm-84";

    private const string Configuration = """
        global { usage-count no; }
        common {
          startup { wfc-timeout 300; degr-wfc-timeout 120; outdated-wfc-timeout 120; }
          options { on-no-data-accessible io-error; }
          disk { c-fill-target 100M; c-max-rate 1100M; }
          net { protocol B; after-sb-0pri discard-younger-primary; after-sb-1pri discard-secondary; }
        }
        resource r0 {
          net { verify-alg md5; max-buffers 36k; sndbuf-size 2048k; }
          disk { al-extents 3389; md-flushes no; }
          on a { device /dev/drbd0; disk /dev/x; address 127.0.0.1:7788; meta-disk internal; }
          on b { device /dev/drbd0; disk /dev/y; address 127.0.0.1:7789; meta-disk internal; }
        }
        resource r1 {
          volume 0 { device minor 1; disk /dev/z0; meta-disk /dev/md; disk { c-plan-ahead 5; } }
          volume 1 { device minor 2; disk /dev/z1; meta-disk /dev/mi [3]; }
          on a { address ipv6 [::1]:7790; } on b { address ipv6 [::1]:7791; }
        }
        """;

    [Theory]
    [InlineData("up all")]
    [InlineData("up r1 r0")]
    [InlineData("down all")]
    [InlineData("adjust all")]
    [InlineData("--peer b adjust r0")]
    [InlineData("attach r1")]
    [InlineData("attach r1/1")]
    [InlineData("detach --force r0")]
    [InlineData("connect --discard-my-data r0")]
    [InlineData("-- --discard-my-data connect r0")]
    [InlineData("disconnect --force r0")]
    [InlineData("primary all --force")]
    [InlineData("-- --overwrite-data-of-peer primary r0")]
    [InlineData("secondary minor-2")]
    [InlineData("invalidate r1")]
    [InlineData("invalidate-remote r0")]
    [InlineData("outdate r1/1")]
    [InlineData("verify r0")]
    [InlineData("pause-sync r1/0")]
    [InlineData("resume-sync all")]
    [InlineData("-- --assume-clean resize r0")]
    [InlineData("check-resize r0")]
    [InlineData("role all")]
    [InlineData("state r0")]
    [InlineData("cstate r1")]
    [InlineData("dstate r1")]
    [InlineData("status r0")]
    [InlineData("status")]
    [InlineData("get-gi r1")]
    [InlineData("show-gi r0")]
    [InlineData("create-md --force r1")]
    [InlineData("-- --force create-md r0")]
    [InlineData("dump-md r1")]
    [InlineData("wipe-md r0")]
    [InlineData("apply-al r0")]
    [InlineData("set-gi r0")]
    [InlineData("-- 1:2 set-gi r1")]
    [InlineData("-- 1:2 set-gi r1/1")]
    [InlineData("proxy-up r0")]
    [InlineData("new-current-uuid --clear-bitmap r0")]
    [InlineData("suspend-io r1")]
    [InlineData("resume-io r1")]
    [InlineData("new-resource all")]
    [InlineData("new-minor r1")]
    [InlineData("sh-new-minor r0")]
    [InlineData("net-options --max-buffers=40 r0")]
    [InlineData("disk-options --c-plan-ahead=10 r0")]
    [InlineData("resource-options --on-no-data-accessible=suspend-io r0")]
    [InlineData("wait-connect r1")]
    [InlineData("sh-status")]
    [InlineData("-n NAME -W --foo primary r0")]
    [InlineData("sh-b-pri r0")]
    [InlineData("fence-peer r0")]
    [InlineData("before-resync-target minor-0")]
    [InlineData("up r9")]
    [InlineData("frob r0")]
    [InlineData("primary --frob r0")]
    [InlineData("primary")]
    [InlineData("down r9")]
    public async Task The_same_commands_are_printed(string words)
    {
        if (!File.Exists(Debian))
        {
            Assert.Skip($"needs {Debian} (Debian package drbd-utils)");
        }

        await using TestNode node = await TestNode.StartAsync(Configuration);
        string[] arguments = ["-d", "-c", node.Location.ConfigPath, .. words.Split(' ')];
        (int exit, string output, string errors) = await node.ToolAsync("drbdadm", arguments);
        (int debianExit, string debianOutput) = await DebianAsync(arguments);
        Assert.True(exit == debianExit, $"{exit}, not {debianExit}: {errors}");
        if (exit == 0)
        {
            Assert.Equal(Comparable(debianOutput), Comparable(output));
        }
    }

    /// <summary>Without what attach does by itself here: the activity log.</summary>
    private static string Comparable(string output)
    {
        string[] lines = output.Split('\n');
        bool attaches = lines.Any(line => line.StartsWith("drbdsetup attach ", StringComparison.Ordinal));
        return string.Join('\n', lines.Where(
            line => !(attaches && line.EndsWith(" apply-al", StringComparison.Ordinal))));
    }

    private static async Task<(int Exit, string Output)> DebianAsync(string[] arguments)
    {
        var start = new ProcessStartInfo(Debian, arguments)
        {
            RedirectStandardOutput = true, RedirectStandardError = true, RedirectStandardInput = true,
        };
        start.Environment["__DRBD_NODE__"] = "a";
        start.Environment["DRBD_DONT_WARN_ON_VERSION_MISMATCH"] = "1";
        using Process process = Process.Start(start)!;
        Task<string> errors = process.StandardError.ReadToEndAsync();
        string output = await process.StandardOutput.ReadToEndAsync();
        await process.WaitForExitAsync();
        await errors;
        return (process.ExitCode, output.Replace("/usr/lib/drbd/drbdsetup-84", "drbdsetup", StringComparison.Ordinal));
    }
}
