using System.Globalization;
using BlockRepl.Platform.Fencing;

namespace BlockRepl.Fencing.Watch;

/// <summary>Why a watchdog could not be used, and what would do.</summary>
internal static class WatchdogAdvice
{
    public static string Describe(string path, int wanted, GuardAnswer answer)
    {
        if (answer.IsOtherTimeout)
        {
            return $"{path}: has taken {answer.TimeoutSeconds} s instead of {wanted} s as its time-out, and is "
                + $"disarmed again; {Usable(path, answer.TimeoutSeconds)}";
        }

        if (answer.IsBusy && WatchdogFile.FindHolder(path) is > 0 and var holder)
        {
            return $"{path}: process {holder} ({NameOf(holder)}) has it already";
        }

        return $"{path}: cannot be armed with {wanted} s: {answer.Reason}";
    }

    /// <summary>As far as sysfs tells.</summary>
    public static bool CannotBeDisarmed(string path) => ReadNumber(path, "nowayout") != 0;

    private static string Usable(string path, int taken)
    {
        var (least, most) = (ReadNumber(path, "min_timeout"), ReadNumber(path, "max_timeout"));
        var range = most > 0
            ? $"the driver allows {Math.Max(least, 1)} to {most} s"
            : $"{taken} s can be had";
        return $"{range}: create the devices with -1 {taken} -4 {2 * taken} or more, for example";
    }

    private static int ReadNumber(string path, string file)
    {
        var name = Path.GetFileName(path);
        var place = $"/sys/class/watchdog/{(name == "watchdog" ? "watchdog0" : name)}/{file}";
        return File.Exists(place)
            && int.TryParse(File.ReadAllText(place).Trim(), CultureInfo.InvariantCulture, out var number)
            ? number
            : 0;
    }

    public static string NameOf(int pid)
    {
        var file = $"/proc/{pid}/comm";
        return File.Exists(file) ? File.ReadAllText(file).Trim() : "?";
    }
}
