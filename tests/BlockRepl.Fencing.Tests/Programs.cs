using System.Text;
using System.Text.RegularExpressions;
using Xunit;

namespace BlockRepl.Fencing.Tests;

/// <summary>What a command printed and how it ended.</summary>
internal sealed record CommandResult(int Code, string Output, string Errors);

/// <summary>The two programs of the name sbd, with nothing in their environment.</summary>
internal static partial class Programs
{
    private static readonly string[] Variables =
    [
        "SBD_DEVICE", "SBD_WATCHDOG_DEV", "SBD_WATCHDOG_TIMEOUT", "SBD_PACEMAKER", "SBD_STARTMODE",
        "SBD_DELAY_START", "SBD_TIMEOUT_ACTION", "SBD_SYNC_RESOURCE_STARTUP", "SBD_OPTS",
    ];

    /// <summary>ClusterLabs' program; skips the test where it is not installed.</summary>
    public static string Original
    {
        get
        {
            if (Environment.UserName != "root")
            {
                Assert.Skip("needs root: the original opens block devices only");
            }

            const string Path = "/usr/sbin/sbd";
            Assert.SkipUnless(File.Exists(Path), "needs sbd (Debian package sbd)");
            return Path;
        }
    }

    public static CommandResult RunOriginal(params string[] arguments) => RunOriginalWith([], arguments);

    public static CommandResult RunOriginalWith(Dictionary<string, string> variables, params string[] arguments)
    {
        var (code, output, errors) = Tool.RunWith(
            environment =>
            {
                foreach (var name in Variables)
                {
                    environment.Remove(name);
                }

                foreach (var (name, value) in variables)
                {
                    environment[name] = value;
                }
            },
            Original,
            arguments);
        return new CommandResult(code, output, errors);
    }

    /// <summary>Ours, in this process; waiting takes no time.</summary>
    public static CommandResult RunOurs(params string[] arguments) => RunOursWith([], arguments);

    public static CommandResult RunOursWith(Dictionary<string, string> variables, params string[] arguments)
    {
        variables.TryAdd("BLOCKREPL_SBD_CONFIG", "/dev/null");
        var output = new MemoryStream();
        var errors = new StringWriter();
        var terminal = new Terminal(output, TextWriter.Synchronized(errors), variables.GetValueOrDefault, _ => { });
        var code = SbdProgram.Run(arguments, terminal);
        return new CommandResult(code, Encoding.UTF8.GetString(output.ToArray()), errors.ToString());
    }

    /// <summary>
    /// Without what differs from run to run: device, UUID, and the number that create gives a device.
    /// </summary>
    public static string Comparable(string output, string device) => DeviceNumber().Replace(
        Uuid().Replace(output.Replace(device, "DEVICE", StringComparison.Ordinal), "UUID"), "device N");

    [GeneratedRegex("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")]
    private static partial Regex Uuid();

    [GeneratedRegex(@"device \d+")]
    private static partial Regex DeviceNumber();
}
