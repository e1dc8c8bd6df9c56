# What the device is: sections "@name", each followed by what a file or a tool says.
section() { echo "@$1"; shift; "$@" 2>/dev/null; echo; }
known() { command -v "$1" > /dev/null 2>&1; }
# nproc prints OMP_NUM_THREADS where it is set.
cores() { (unset OMP_NUM_THREADS OMP_THREAD_LIMIT; nproc) || getconf _NPROCESSORS_ONLN; }
libc() { getconf GNU_LIBC_VERSION || { [ ! -e /system/bin/linker ] || echo bionic; ls /lib/ld-musl-* /lib/libc.musl-*; }; }
thermal() { for zone in /sys/class/thermal/thermal_zone*; do echo "$(cat "$zone/temp") $(cat "$zone/type")"; done; }
property() { echo "$1=$(getprop "$1")"; }
android() {
  known getprop || return
  for name in ro.build.version.release ro.product.manufacturer ro.product.model ro.product.cpu.abi ro.soc.model \
    ro.kernel.qemu ro.boot.qemu; do property "$name"; done
}
section system uname -s
section release uname -r
section processor uname -m
section kernel_architecture cat /proc/sys/kernel/arch
section word_bits getconf LONG_BIT
section cpuinfo cat /proc/cpuinfo
section meminfo cat /proc/meminfo
section cores cores
section model cat /proc/device-tree/model
section governor cat /sys/devices/system/cpu/cpu0/cpufreq/scaling_governor
section frequency_khz cat /sys/devices/system/cpu/cpu*/cpufreq/scaling_cur_freq
section thermal thermal
section gpu cat /proc/driver/nvidia/gpus/*/information
section libc libc
section distribution cat /etc/os-release
section android android
section disk df -Pk "$folder"
section nvpmodel nvpmodel -q
section throttled vcgencmd get_throttled
