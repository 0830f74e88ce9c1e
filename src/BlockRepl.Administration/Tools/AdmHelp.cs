using System.Reflection;
using System.Text;

namespace BlockRepl.Administration.Tools;

/// <summary>What drbdadm says of itself.</summary>
internal static class AdmHelp
{
    /// <summary>The version of DRBD's tools whose commands these are.</summary>
    public const string VersionNumber = "9.22.0";

    private static readonly string Own =
        typeof(AdmHelp).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?
            .InformationalVersion.Split('+')[0] ?? "?";

    /// <summary>
    /// Shell code that agents evaluate: the version of the kernel's DRBD that this one is like, 8.4.11, first of all.
    /// </summary>
    public static string Version =>
        $"""
        DRBDADM_BUILDTAG=BlockRepl\ {Own}
        DRBDADM_API_VERSION=1
        DRBD_KERNEL_VERSION_CODE=0x08040b
        DRBDADM_VERSION_CODE=0x091600
        DRBDADM_VERSION={VersionNumber}

        """;

    public static string General =>
        "\nUSAGE: drbdadm COMMAND [OPTION...] {all|RESOURCE...}\n\nGENERAL OPTIONS:\n" + AdmOptions.GeneralUsage
        + "\nCOMMANDS:\n" + Columns(AdmGroup.Usual) + "\n" + Footer;

    public static string Hidden =>
        "\nThese additional commands might be useful for writing\nnifty shell scripts around drbdadm:\n\n"
        + Columns(AdmGroup.Shell)
        + "\nThese commands run the handlers, as the daemon does by itself:\n\n" + Columns(AdmGroup.Handler)
        + "\nThese commands ought to be used by experts and developers:\n\n" + Columns(AdmGroup.Expert) + "\n";

    public static string For(AdmCommand command)
    {
        string target = command.Scope switch
        {
            AdmScope.None => "",
            AdmScope.Optional => " [all|RESOURCE...]",
            _ => " {all|RESOURCE...}",
        };
        var text = new StringBuilder(
            $"\nUSAGE: drbdadm {command.Name} [OPTION...]{target}\n\nGENERAL OPTIONS:\n{AdmOptions.GeneralUsage}\n");
        if (command.Options is { Count: > 0 } options)
        {
            text.Append($"OPTIONS FOR {command.Name}:\n");
            foreach (ToolOption option in options)
            {
                text.Append($"  --{option.Name}{(option.TakesValue ? "=..." : "[=...]")}\n");
            }

            text.Append('\n');
        }

        return text.Append(Footer).ToString();
    }

    private static string Footer => $"Version: {VersionNumber} (BlockRepl {Own})\n";

    private static string Columns(AdmGroup group) => string.Concat(
        AdmCommand.All.Where(command => command.Group == group).Select(command => command.Name).Chunk(2)
            .Select(pair => " " + string.Concat(pair.Select(name => name.PadRight(35))).TrimEnd() + "\n"));
}
