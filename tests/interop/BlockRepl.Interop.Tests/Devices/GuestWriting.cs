using System.Globalization;
using BlockRepl.Nodes;
using Xunit;

namespace BlockRepl.Interop.Tests.Devices;

/// <summary>
/// What writes to the file system on /mnt while a script does something to it: a writer that says how long each of its
/// writes took, and keeps checksums of its files in /run/sum0 to /run/sum7; and, where the guest has it, fio with
/// verification.
/// </summary>
internal sealed class GuestWriting
{
    private const string Commands =
        """
        cat >/bin/load <<\END
        while [ ! -e /run/stop ]; do
          /usr/bin/fio --name=load --directory=/mnt --size=8M --bs=4k --iodepth=16 --ioengine=libaio --direct=1 \
            --rw=randwrite --rate_iops=0,300,0 --randrepeat=0 --verify=crc32c --verify_fatal=1 --verify_state_save=0 \
            >/run/fio.out 2>&1 || { echo FAILED >/run/load.end; exit 1; }
        done
        echo ended >/run/load.end
        END
        cat >/bin/writer <<\END
        i=0
        while [ ! -e /run/stop ]; do
          begin=$(cut -d' ' -f1 /proc/uptime)
          dd if=/dev/urandom of=/mnt/f$((i % 8)) bs=64k count=1 conv=fsync 2>/dev/null || { echo FAILED; exit 1; }
          (cd /mnt; md5sum f$((i % 8)) >/run/sum$((i % 8)))
          echo $begin $(cut -d' ' -f1 /proc/uptime)
          i=$((i + 1))
        done
        echo ended
        END
        chmod +x /bin/load /bin/writer
        """;

    private readonly DeviceGuest _guest;
    private readonly bool _withFio;

    private GuestWriting(DeviceGuest guest, bool withFio) => (_guest, _withFio) = (guest, withFio);

    /// <summary>How many lines the writer has written; it has not failed.</summary>
    public int Lines
    {
        get
        {
            string text = _guest.Do("cat /run/writer.out");
            Assert.DoesNotContain("FAILED", text);
            return text.Count(c => c == '\n');
        }
    }

    public static GuestWriting Begin(DeviceGuest guest, bool withFio)
    {
        guest.Do(Commands);
        guest.Do(": >/run/writer.out; writer >>/run/writer.out 2>&1 &");
        if (withFio)
        {
            guest.Do("load >/dev/null 2>&1 &");
        }

        return new GuestWriting(guest, withFio);
    }

    /// <summary>Waits for a write that has begun and ended since.</summary>
    public void WaitForMore()
    {
        int before = Lines;
        Poll.Until(() => Lines > before + 1, "writes to go on", 60);
    }

    /// <summary>How long the longest write took, in seconds.</summary>
    /// <param name="after">Of those after so many.</param>
    public double Longest(int after) => _guest.Do("cat /run/writer.out").Split('\n')
        .Skip(after)
        .Select(line => line.Split(' ').Select(t => double.Parse(t, CultureInfo.InvariantCulture)).ToArray())
        .Max(times => times[1] - times[0]);

    /// <summary>Nothing that was written had an error or was not read back.</summary>
    public void End()
    {
        _guest.Do("touch /run/stop");
        Poll.Until(() => _guest.Do("tail -n 1 /run/writer.out") == "ended", "the writer to end", 60);
        if (_withFio)
        {
            Poll.Until(() => _guest.Run("cat /run/load.end").ExitCode == 0, "fio to end", 300);
            Assert.Equal("ended", _guest.Do("cat /run/load.end"));
        }
    }
}
